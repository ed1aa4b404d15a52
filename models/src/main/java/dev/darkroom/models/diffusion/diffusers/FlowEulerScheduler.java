package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code FlowMatchEulerDiscreteScheduler}: {@link Solvers#euler} at the levels of flow
 * matching (Esser et al. 2024, arXiv:2403.03206, section 5.3.2 for the shift). Sigmas are rounded
 * to float32; the network takes sigma · T for the time.
 *
 * @param shift by how much sigmas are shifted; with {@code dynamicShift} the shift comes with each
 *     call
 * @param exponentialShift whether that is given as a logarithm
 * @param tokenShift how it follows from the size of the picture
 * @param terminal the last sigma before 0 after stretching; 0 for no stretching
 */
record FlowEulerScheduler(
        int trainTimesteps,
        double shift,
        boolean dynamicShift,
        boolean exponentialShift,
        TokenShift tokenShift,
        double terminal,
        @Nullable SigmaSpacing sigmaSpacing)
        implements Scheduler {
    static FlowEulerScheduler read(SchedulerConfig config) {
        config.refuse("invert_sigmas");
        config.refuse("stochastic_sampling");
        int timesteps = config.integer("num_train_timesteps", 1000);
        if (timesteps < 2) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 2 are needed");
        }
        double shift = config.number("shift", 1);
        if (!(shift > 0)) {
            throw config.unsupported("shift", shift, "it must be greater than 0");
        }
        double terminal = config.number("shift_terminal", 0);
        if (!(terminal >= 0 && terminal < 1)) {
            throw config.unsupported("shift_terminal", terminal, "it must be from 0 to 1");
        }
        String shiftType = config.text("time_shift_type", "exponential");
        if (!shiftType.equals("exponential") && !shiftType.equals("linear")) {
            throw config.unsupported("time_shift_type", shiftType, "use exponential or linear");
        }
        return new FlowEulerScheduler(
                timesteps,
                shift,
                config.flag("use_dynamic_shifting", false),
                shiftType.equals("exponential"),
                TokenShift.read(config),
                terminal,
                BetaOptions.sigmaSpacing(config));
    }

    @Override
    public ForwardProcess process() {
        return ForwardProcess.flow(trainTimesteps);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.euler();
    }

    @Override
    public String taken() {
        return dynamicShift ? "mu sigmas" : "sigmas";
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        double[] sigmas = unshifted(steps, arguments);
        double factor = factor(arguments);
        for (int i = 0; i < sigmas.length; i++) {
            sigmas[i] = shifted(sigmas[i], factor);
        }
        if (terminal > 0) {
            double stretch = (1 - sigmas[sigmas.length - 1]) / (1 - terminal);
            for (int i = 0; i < sigmas.length; i++) {
                sigmas[i] = 1 - (1 - sigmas[i]) / stretch;
            }
        }
        if (sigmaSpacing != null) {
            sigmas = sigmaSpacing.sigmas(steps, sigmas[0], sigmas[steps - 1]);
        }
        List<NoiseLevel> at = new ArrayList<>();
        for (double sigma : sigmas) {
            float rounded = (float) sigma;
            at.add(NoiseLevel.flow(rounded, rounded * trainTimesteps));
        }
        return BetaOptions.endingAt(NoiseLevel.CLEAN, at);
    }

    private double factor(SchedulerArguments arguments) {
        if (!dynamicShift) {
            return shift;
        }
        double mu = tokenShift.mu(arguments);
        return exponentialShift ? Math.exp(mu) : mu;
    }

    private double[] unshifted(int steps, SchedulerArguments arguments) {
        if (arguments.sigmas().isEmpty()) {
            var sigmas = new double[steps];
            double from = greatest() * trainTimesteps;
            double to = least() * trainTimesteps;
            for (int i = 0; i < steps; i++) {
                double u = steps == 1 ? 0 : (double) i / (steps - 1);
                sigmas[i] = (from + u * (to - from)) / trainTimesteps;
            }
            return sigmas;
        }
        if (arguments.sigmas().size() != steps) {
            throw new IllegalArgumentException(
                    arguments.sigmas().size() + " sigmas are given for " + steps + " steps");
        }
        return arguments.sigmas().stream().mapToDouble(sigma -> sigma.floatValue()).toArray();
    }

    /** The greatest sigma of training, which diffusers has shifted already unless shifts vary. */
    private double greatest() {
        return trained(1);
    }

    private double least() {
        return trained(1.0 / trainTimesteps);
    }

    private double trained(double sigma) {
        return (float) (dynamicShift ? sigma : shifted(sigma, shift));
    }

    private static double shifted(double sigma, double factor) {
        return NoiseLevel.shifted(sigma, factor);
    }
}
