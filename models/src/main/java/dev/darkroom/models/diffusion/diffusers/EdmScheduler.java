package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.Solver;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' schedulers for networks with EDM's preconditioning (Karras et al. 2022,
 * arXiv:2206.00364), which take ¼·log σ for the time: {@code EDMEulerScheduler} and {@code
 * EDMDPMSolverMultistepScheduler}. Sigmas are rounded to float32.
 *
 * @param method Euler's or DPM-Solver++, multistep
 * @param rho Karras's exponent; 0 for sigmas that are equally spaced in their logarithm
 * @param endsClean whether sampling ends without noise rather than at {@code least}
 */
record EdmScheduler(
        Preconditioning prediction,
        int trainTimesteps,
        Clipping clipping,
        EulerScheduler.Method method,
        double greatest,
        double least,
        double rho,
        boolean endsClean)
        implements Scheduler {
    static EdmScheduler readEuler(SchedulerConfig config) {
        return read(config, Clipping.NONE, EulerScheduler.Method.EULER);
    }

    static EdmScheduler readMultistep(SchedulerConfig config) {
        Solver solver = Solver.multistep(DpmSolverScheduler.solver(config));
        return read(
                config,
                BetaOptions.thresholding(config),
                new EulerScheduler.Method("", (arguments, level, early) -> solver));
    }

    private static EdmScheduler read(
            SchedulerConfig config, Clipping clipping, EulerScheduler.Method method) {
        double least = config.number("sigma_min", 0.002);
        double greatest = config.number("sigma_max", 80);
        if (!(least > 0 && least < greatest)) {
            throw config.unsupported("sigma_min", least, "it is above 0 and below sigma_max");
        }
        String spacing = config.text("sigma_schedule", "karras");
        double rho =
                switch (spacing) {
                    case "karras" -> config.number("rho", 7);
                    case "exponential" -> 0;
                    default ->
                            throw config.unsupported(
                                    "sigma_schedule", spacing, "use karras or exponential");
                };
        String end = config.text("final_sigmas_type", "zero");
        if (!end.equals("zero") && !end.equals("sigma_min")) {
            throw config.unsupported("final_sigmas_type", end, "use zero or sigma_min");
        }
        int timesteps = config.integer("num_train_timesteps", 1000);
        if (timesteps < 2) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 2 are needed");
        }
        Preconditioning edm = Preconditioning.edm(config.number("sigma_data", 0.5));
        String prediction = config.text("prediction_type", "epsilon");
        return new EdmScheduler(
                switch (prediction) {
                    case "epsilon" -> edm;
                    case "v_prediction" -> edm.negated();
                    default ->
                            throw config.unsupported(
                                    "prediction_type", prediction, "use epsilon or v_prediction");
                },
                timesteps,
                clipping,
                method,
                greatest,
                least,
                rho,
                end.equals("zero"));
    }

    @Override
    public ForwardProcess process() {
        return new ForwardProcess(prediction, trainTimesteps, null);
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return Math.hypot(greatest, 1);
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double u = steps == 1 ? 0 : (double) i / (steps - 1);
            levels.add(
                    level(
                            rho == 0
                                    ? SigmaSpacing.EXPONENTIAL.at(u, greatest, least)
                                    : SigmaSpacing.karras(u, greatest, least, rho)));
        }
        NoiseLevel end = levels.getLast();
        return BetaOptions.endingAt(endsClean ? NoiseLevel.CLEAN : end, levels);
    }

    private static NoiseLevel level(double sigma) {
        double rounded = (float) sigma;
        return NoiseLevel.varianceExploding(rounded, (float) (0.25 * Math.log(rounded)));
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return method.solver(arguments, EdmScheduler::level, prediction);
    }

    @Override
    public String taken() {
        return method.taken();
    }
}
