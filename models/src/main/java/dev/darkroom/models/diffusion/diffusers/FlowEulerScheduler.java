package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' schedulers for flow matching (Esser et al. 2024, arXiv:2403.03206, section 5.3.2 for
 * the shift): {@code FlowMatchEulerDiscreteScheduler}, {@code FlowMatchHeunDiscreteScheduler} and
 * {@code FlowMatchLCMScheduler}. Sigmas are rounded to float32; the network takes sigma · T for the
 * time.
 *
 * @param method {@link Solver#euler}, {@link Solver#heun} or {@link Solvers#lcm}
 * @param inverted whether the network takes 1 − sigma for the time, and predicts data less noise
 * @param shift by how much sigmas are shifted; with {@code dynamicShift} the shift comes with each
 *     call
 * @param exponentialShift whether that is given as a logarithm
 * @param tokenShift how it follows from the size of the picture
 * @param terminal the last sigma before 0 after stretching; 0 for no stretching
 */
record FlowEulerScheduler(
        EulerScheduler.Method method,
        boolean inverted,
        int trainTimesteps,
        double shift,
        boolean dynamicShift,
        boolean exponentialShift,
        TokenShift tokenShift,
        double terminal,
        @Nullable SigmaSpacing sigmaSpacing)
        implements Scheduler {
    private static final EulerScheduler.Method LCM =
            new EulerScheduler.Method("", (arguments, level, early) -> FlowEulerScheduler::lcm);

    private static Tensor lcm(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        Denoiser drawing = ConsistencyScheduler.drawing(denoiser, levels, noise);
        return Solvers.lcm(drawing, x, levels, noise, on);
    }

    static FlowEulerScheduler read(SchedulerConfig config) {
        return read(
                config,
                config.flag("stochastic_sampling", false) ? LCM : EulerScheduler.Method.EULER);
    }

    static FlowEulerScheduler readHeun(SchedulerConfig config) {
        return read(config, EulerScheduler.Method.HEUN);
    }

    static FlowEulerScheduler readLcm(SchedulerConfig config) {
        if (config.has("scale_factors")) {
            throw config.unsupported("scale_factors", "a list", "leave it out");
        }
        return read(config, LCM);
    }

    private static FlowEulerScheduler read(SchedulerConfig config, EulerScheduler.Method method) {
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
                method,
                config.flag("invert_sigmas", false),
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
        return inverted
                ? new ForwardProcess(Prediction.FLOW.negated(), trainTimesteps, null)
                : ForwardProcess.flow(trainTimesteps);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return method.solver(arguments, null, null);
    }

    @Override
    public String taken() {
        return method.taken() + (dynamicShift ? " mu levels" : " levels");
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        double factor = factor(arguments);
        LevelChoice choice = arguments.levels();
        if (choice != null && choice.sigmas().isEmpty()) {
            return ended(FlowLevels.given(choice, steps, trainTimesteps, factor));
        }
        double[] sigmas = unshifted(steps, choice);
        for (int i = 0; i < sigmas.length; i++) {
            sigmas[i] = NoiseLevel.shifted(sigmas[i], factor);
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
        return ended(at);
    }

    private List<NoiseLevel> ended(List<NoiseLevel> levels) {
        return BetaOptions.endingAt(
                NoiseLevel.CLEAN,
                inverted
                        ? levels.stream()
                                .map(at -> new NoiseLevel(at.alpha(), at.sigma(), inverted(at)))
                                .toList()
                        : levels);
    }

    private double inverted(NoiseLevel at) {
        return (float) at.alpha() * trainTimesteps;
    }

    private double factor(SchedulerArguments arguments) {
        if (!dynamicShift) {
            return shift;
        }
        double mu = tokenShift.mu(arguments);
        return exponentialShift ? Math.exp(mu) : mu;
    }

    private double[] unshifted(int steps, @Nullable LevelChoice choice) {
        if (choice == null) {
            var sigmas = new double[steps];
            double from = greatest() * trainTimesteps;
            double to = least() * trainTimesteps;
            for (int i = 0; i < steps; i++) {
                double u = steps == 1 ? 0 : (double) i / (steps - 1);
                sigmas[i] = (from + u * (to - from)) / trainTimesteps;
            }
            return sigmas;
        }
        List<Double> given = choice.sigmas();
        if (given.size() != steps) {
            throw new IllegalArgumentException(
                    given.size() + " noise levels are given for " + steps + " steps");
        }
        if (given.getFirst() > 1) {
            throw new IllegalArgumentException(
                    "the sigma of a flow is above 0 and at most 1, not " + given.getFirst());
        }
        return given.stream().mapToDouble(sigma -> sigma.floatValue()).toArray();
    }

    /** The greatest sigma of training, which diffusers has shifted already unless shifts vary. */
    private double greatest() {
        return trained(1);
    }

    private double least() {
        return trained(1.0 / trainTimesteps);
    }

    private double trained(double sigma) {
        return (float) (dynamicShift ? sigma : NoiseLevel.shifted(sigma, shift));
    }
}
