package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.DpmSolver;
import dev.darkroom.models.diffusion.ExponentialSolver;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * diffusers' schedulers in lambda: {@code DPMSolverMultistepScheduler}, {@code
 * DPMSolverSinglestepScheduler}, {@code DEISMultistepScheduler}, {@code UniPCMultistepScheduler}
 * and {@code SASolverScheduler}. Sigmas (in variance-exploding form) are rounded to float32;
 * timesteps are whole.
 *
 * @param lambdaMin timesteps with a smaller log(alpha/sigma) are left out
 * @param sigmaSpacing null for the sigmas of the timesteps
 * @param luLambdas whether sigmas are equally spaced in their logarithm
 * @param wholeTimesteps whether the timesteps of such sigmas are rounded, not cut off
 * @param flow whether the levels are those of flow matching
 * @param flowShift how they are shifted
 * @param last the sigma at which sampling ends; null to end where the last step begins if the
 *     levels are not those of the timesteps, and at that of timestep 0 if they are
 */
record DpmSolverScheduler(
        BetaOptions betas,
        Clipping clipping,
        Solver solver,
        double lambdaMin,
        @Nullable SigmaSpacing sigmaSpacing,
        boolean luLambdas,
        boolean wholeTimesteps,
        boolean flow,
        double flowShift,
        boolean dynamicShift,
        @Nullable Double last)
        implements BetaScheduler {
    /** How much noise diffusers' SA-Solver adds: all from timestep 800 down to 200. */
    static final ToDoubleFunction<NoiseLevel> SA_NOISE =
            at -> at.timestep() >= 200 && at.timestep() <= 800 ? 1 : 0;

    /** Reads a {@code DPMSolverMultistepScheduler}. */
    static DpmSolverScheduler read(SchedulerConfig config) {
        DpmSolver.Options solver = solver(config);
        BetaOptions betas = BetaOptions.read(config, Spacing.LINSPACE).withNearlyZeroSnr(config);
        double last = BetaOptions.lastSigma(config, betas.schedule());
        requireNoiseAtTheEnd(config, solver.algorithm(), last);
        boolean whole = !config.text("beta_schedule", "linear").equals("squaredcos_cap_v2");
        return read(config, betas, Solver.multistep(solver), whole, last);
    }

    /** Reads a {@code DPMSolverSinglestepScheduler}, whose timesteps are spaced in one way. */
    static DpmSolverScheduler readSinglestep(SchedulerConfig config) {
        DpmSolver.Options solver = solver(config);
        BetaOptions read = BetaOptions.read(config, Spacing.LINSPACE);
        var betas = new BetaOptions(read.schedule(), Spacing.LINSPACE, 0, read.prediction());
        double last = BetaOptions.lastSigma(config, betas.schedule());
        requireNoiseAtTheEnd(config, solver.algorithm(), last);
        return read(
                config,
                betas,
                Solver.singlestep(
                        solver.algorithm(),
                        solver.order(),
                        solver.kind(),
                        config.flag("lower_order_final", false)),
                true,
                last);
    }

    /** Reads a {@code DEISMultistepScheduler}. */
    static DpmSolverScheduler readDeis(SchedulerConfig config) {
        return read(
                config,
                BetaOptions.read(config, Spacing.LINSPACE),
                Solver.deis(order(config, "solver_order", 3), lowerOrderFinal(config)),
                true,
                null);
    }

    /** Reads a {@code UniPCMultistepScheduler}. */
    static DpmSolverScheduler readUniPc(SchedulerConfig config) {
        BetaOptions betas = BetaOptions.read(config, Spacing.LINSPACE).withNearlyZeroSnr(config);
        String type = config.text("solver_type", "bh2");
        ExponentialSolver.Slope slope =
                switch (type) {
                    case "bh1" -> ExponentialSolver.Slope.HALF;
                    // The others are from another class's config.
                    case "bh2", "midpoint", "heun", "logrho" -> ExponentialSolver.Slope.MIDPOINT;
                    default -> throw config.unsupported("solver_type", type, "use bh1 or bh2");
                };
        List<Double> disabled = config.numbersOrNull("disable_corrector");
        Set<Integer> uncorrected = new HashSet<>();
        if (disabled != null) {
            disabled.forEach(step -> uncorrected.add(step.intValue()));
        }
        Solver solver =
                Solver.uniPc(
                        !config.flag("predict_x0", true),
                        order(config, "solver_order", 3),
                        slope,
                        lowerOrderFinal(config),
                        uncorrected);
        double last = BetaOptions.lastSigma(config, betas.schedule());
        return read(config, betas, solver, true, last == 0 ? last : null);
    }

    /** Reads a {@code SASolverScheduler}. */
    static DpmSolverScheduler readSaSolver(SchedulerConfig config) {
        String algorithm = config.text("algorithm_type", "data_prediction");
        boolean ofNoise =
                switch (algorithm) {
                    case "noise_prediction" -> true;
                    // The others are from another class's config.
                    case "data_prediction", "dpmsolver++", "sde-dpmsolver++", "deis" -> false;
                    default ->
                            throw config.unsupported(
                                    "algorithm_type",
                                    algorithm,
                                    "use data_prediction or noise_prediction");
                };
        if (config.has("tau_func")) {
            throw config.unsupported("tau_func", "a function", "leave it out");
        }
        return read(
                config,
                BetaOptions.read(config, Spacing.LINSPACE),
                Solver.saSolver(
                        ofNoise,
                        order(config, "predictor_order", 4),
                        order(config, "corrector_order", 4),
                        lowerOrderFinal(config),
                        SA_NOISE),
                true,
                null);
    }

    private static DpmSolverScheduler read(
            SchedulerConfig config,
            BetaOptions betas,
            Solver solver,
            boolean wholeTimesteps,
            @Nullable Double last) {
        boolean flow = config.flag("use_flow_sigmas", false);
        if (flow != (betas.prediction() == Prediction.FLOW)) {
            throw config.unsupported(
                    "use_flow_sigmas",
                    flow,
                    "it goes with prediction_type flow_prediction, and only with that");
        }
        boolean dynamicShift = config.flag("use_dynamic_shifting", false);
        String shiftType = config.text("time_shift_type", "exponential");
        if (dynamicShift && !shiftType.equals("exponential")) {
            throw config.unsupported("time_shift_type", shiftType, "use exponential");
        }
        return new DpmSolverScheduler(
                betas,
                BetaOptions.thresholding(config),
                solver,
                config.number("lambda_min_clipped", Double.NEGATIVE_INFINITY),
                BetaOptions.sigmaSpacing(config),
                config.flag("use_lu_lambdas", false),
                wholeTimesteps,
                flow,
                config.number("flow_shift", 1),
                dynamicShift,
                last);
    }

    private static void requireNoiseAtTheEnd(
            SchedulerConfig config, DpmSolver.Algorithm algorithm, double last) {
        boolean flow = config.flag("use_flow_sigmas", false);
        if (algorithm.isOfNoise() && (flow || last == 0)) {
            throw config.unsupported(
                    "algorithm_type",
                    config.text("algorithm_type", ""),
                    flow
                            ? "with flow_prediction use dpmsolver++"
                            : "unless final_sigmas_type is sigma_min: set that, or use"
                                    + " dpmsolver++");
        }
    }

    private static int order(SchedulerConfig config, String name, int most) {
        int order = config.integer(name, 2);
        if (order < 1 || order > most) {
            throw config.unsupported(name, order, "it is from 1 to " + most);
        }
        return order;
    }

    private static boolean lowerOrderFinal(SchedulerConfig config) {
        return config.flag("lower_order_final", true);
    }

    static DpmSolver.Options solver(SchedulerConfig config) {
        String algorithm = config.text("algorithm_type", "dpmsolver++");
        DpmSolver.Algorithm solved =
                switch (algorithm) {
                    case "dpmsolver" -> DpmSolver.Algorithm.NOISE_ODE;
                    case "sde-dpmsolver" -> DpmSolver.Algorithm.NOISE_SDE;
                    // deis: from another class's config
                    case "dpmsolver++", "deis" -> DpmSolver.Algorithm.DATA_ODE;
                    case "sde-dpmsolver++" -> DpmSolver.Algorithm.DATA_SDE;
                    default ->
                            throw config.unsupported(
                                    "algorithm_type",
                                    algorithm,
                                    "use dpmsolver++, sde-dpmsolver++, dpmsolver or"
                                            + " sde-dpmsolver");
                };
        String type = config.text("solver_type", "midpoint");
        return new DpmSolver.Options(
                solved,
                config.integer("solver_order", 2),
                switch (type) {
                    // The others are from another class's config.
                    case "midpoint", "logrho", "bh1", "bh2" -> DpmSolver.Kind.MIDPOINT;
                    case "heun" -> DpmSolver.Kind.HEUN;
                    default ->
                            throw config.unsupported("solver_type", type, "use midpoint or heun");
                },
                config.flag("lower_order_final", true),
                config.flag("euler_at_final", false));
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return solver;
    }

    @Override
    public String taken() {
        return dynamicShift ? "mu levels" : "levels";
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        List<NoiseLevel> at = new ArrayList<>();
        Double mu = arguments.mu();
        double shift = mu == null ? flowShift : Math.exp(mu);
        if (arguments.levels() != null) {
            at.addAll(given(arguments.levels(), steps, shift));
        } else if (flow) {
            double stride = (1.0 / trainTimesteps() - 1) / steps;
            for (int i = steps; i > 0; i--) {
                // Rounded as NumPy's linspace, as a timestep may be just below a whole number.
                double sigma = 1 - (i == steps ? 1.0 / trainTimesteps() : 1 + i * stride);
                double shifted = NoiseLevel.shifted(sigma, shift);
                long timestep = (long) (shifted * trainTimesteps());
                at.add(NoiseLevel.flow((float) shifted, timestep));
            }
        } else if (sigmaSpacing != null || luLambdas) {
            addSpaced(at, steps);
        } else {
            for (double t : timesteps(steps)) {
                long timestep = (long) Math.rint(t);
                at.add(level(betas.schedule().sigma(timestep), timestep));
            }
        }
        NoiseLevel end = flow ? NoiseLevel.flow((float) lastSigma(at), 0) : level(lastSigma(at), 0);
        return BetaOptions.endingAt(end, withoutDoubled(at));
    }

    private List<NoiseLevel> given(LevelChoice levels, int steps, double shift) {
        if (flow) {
            return FlowLevels.given(levels, steps, trainTimesteps(), shift);
        }
        NoiseSchedule schedule = betas.schedule();
        return levels.levels(
                steps,
                betas.sigmas(),
                schedule::timestepOf,
                (sigma, t) -> level(sigma, (long) Math.rint(t)));
    }

    private double lastSigma(List<NoiseLevel> levels) {
        if (last != null) {
            return last;
        }
        if (flow) {
            return levels.getLast().sigma();
        }
        boolean spaced = sigmaSpacing != null || luLambdas;
        return spaced ? levels.getLast().noiseToSignal() : betas.schedule().sigma(0);
    }

    /**
     * Leaves out levels that are followed by one of the same noise, as happens with nearly as many
     * steps as timesteps: such a step moves nothing, but the difference across it would be divided
     * by zero (in diffusers it is, and the result is NaN).
     */
    private static List<NoiseLevel> withoutDoubled(List<NoiseLevel> levels) {
        List<NoiseLevel> distinct = new ArrayList<>();
        for (int i = 0; i < levels.size(); i++) {
            boolean isLast = i + 1 == levels.size();
            if (isLast || levels.get(i).lambda() != levels.get(i + 1).lambda()) {
                distinct.add(levels.get(i));
            }
        }
        return distinct;
    }

    private double[] timesteps(int steps) {
        int last = 0;
        for (int t = 0; t < trainTimesteps(); t++) {
            last += betas.schedule().level(t).lambda() >= lambdaMin ? 1 : 0;
        }
        return betas.spacing().withoutZero(trainTimesteps(), last, steps, betas.offset());
    }

    private void addSpaced(List<NoiseLevel> levels, int steps) {
        NoiseSchedule schedule = betas.schedule();
        SigmaSpacing spacing = sigmaSpacing != null ? sigmaSpacing : SigmaSpacing.EXPONENTIAL;
        boolean rounded = wholeTimesteps && (luLambdas || spacing == SigmaSpacing.KARRAS);
        double greatest = schedule.sigma(trainTimesteps() - 1);
        for (double sigma : spacing.sigmas(steps, greatest, schedule.sigma(0))) {
            double t = schedule.timestepOf(sigma);
            levels.add(level(sigma, (long) (rounded ? Math.rint(t) : t)));
        }
    }

    private static NoiseLevel level(double sigma, long timestep) {
        return BetaOptions.preserving((float) sigma, timestep);
    }
}
