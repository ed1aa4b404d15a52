package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * diffusers' schedulers in variance-exploding form: {@code EulerDiscreteScheduler}, {@code
 * EulerAncestralDiscreteScheduler}, {@code HeunDiscreteScheduler}, {@code LMSDiscreteScheduler},
 * {@code KDPM2DiscreteScheduler} and {@code KDPM2AncestralDiscreteScheduler}. Sigmas and timesteps
 * are rounded to float32.
 *
 * @param sigmaSpacing null for the sigmas of the timesteps
 * @param wholeTimesteps whether the timesteps of Karras's sigmas are rounded to whole ones
 * @param sigmaMin the least sigma of {@code sigmaSpacing}; null for that of the last timestep
 * @param sigmaMax the greatest; null for that of the first timestep
 * @param logLinear whether sigmas are equally spaced in their logarithm from the last timestep's to
 *     timestep 0's, where sampling then ends
 * @param continuous whether the network takes ¼·log σ for the time
 * @param last the sigma at which sampling ends
 */
record EulerScheduler(
        Method method,
        BetaOptions betas,
        Clipping clipping,
        @Nullable SigmaSpacing sigmaSpacing,
        boolean wholeTimesteps,
        @Nullable Double sigmaMin,
        @Nullable Double sigmaMax,
        boolean logLinear,
        boolean continuous,
        double last)
        implements BetaScheduler {
    /**
     * A solver that depends on a call.
     *
     * @param taken the names of the arguments that it takes, separated by spaces
     */
    record Method(String taken, Making made) {
        /** {@link Solver#euler}, with churn as diffusers has it. */
        static final Method EULER =
                new Method(
                        "churn",
                        (arguments, level, early) ->
                                churned(Solver.euler(), arguments, level, early));

        static final Method ANCESTRAL =
                new Method("", (arguments, level, early) -> Solver.eulerAncestral());

        /** {@link Solver#heun}, with churn as the paper has it; diffusers has none. */
        static final Method HEUN =
                new Method(
                        "churn",
                        (arguments, level, early) ->
                                churned(Solver.heun(), arguments, level, null));

        static final Method LMS =
                new Method(
                        "order",
                        (arguments, level, early) ->
                                Solver.lms(arguments.order() == null ? 4 : arguments.order()));

        /** {@link Solver#midpoint}, with churn as the paper has it; diffusers has none. */
        static final Method MIDPOINT =
                new Method(
                        "churn",
                        (arguments, level, early) ->
                                churned(Solver.midpoint(false, level), arguments, level, null));

        static final Method ANCESTRAL_MIDPOINT =
                new Method("", (arguments, level, early) -> Solver.midpoint(true, level));

        private static Solver churned(
                Solver each,
                SchedulerArguments arguments,
                @Nullable DoubleFunction<NoiseLevel> level,
                @Nullable Preconditioning early) {
            return arguments.churn() == null
                    ? each
                    : Solver.churned(each, arguments.churn(), level, early);
        }

        Solver solver(
                SchedulerArguments arguments,
                @Nullable DoubleFunction<NoiseLevel> level,
                @Nullable Preconditioning early) {
            return made.solver(arguments, level, early);
        }
    }

    /** Makes a solver. */
    @FunctionalInterface
    interface Making {
        /**
         * The solver of a call.
         *
         * @param level of a sigma; null where it is not known
         * @param early see {@link Solver#churned}
         */
        Solver solver(
                SchedulerArguments arguments,
                @Nullable DoubleFunction<NoiseLevel> level,
                @Nullable Preconditioning early);
    }

    static EulerScheduler read(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE)
                        .withoutFlow(config)
                        .withNearlyZeroSnr(config);
        String interpolation = config.text("interpolation_type", "linear");
        boolean logLinear = interpolation.equals("log_linear");
        if (!logLinear && !interpolation.equals("linear")) {
            throw config.unsupported(
                    "interpolation_type", interpolation, "use linear or log_linear");
        }
        String type = config.text("timestep_type", "discrete");
        if (!type.equals("discrete") && !type.equals("continuous")) {
            throw config.unsupported("timestep_type", type, "use discrete or continuous");
        }
        return new EulerScheduler(
                Method.EULER,
                betas,
                Clipping.NONE,
                BetaOptions.sigmaSpacing(config),
                false,
                config.numberOrNull("sigma_min"),
                config.numberOrNull("sigma_max"),
                logLinear,
                type.equals("continuous") && betas.prediction() == Prediction.V_PREDICTION,
                BetaOptions.lastSigma(config, betas.schedule()));
    }

    static EulerScheduler readAncestral(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE)
                        .withoutFlow(config)
                        .withNearlyZeroSnr(config);
        return plain(Method.ANCESTRAL, betas, Clipping.NONE, null, false);
    }

    static EulerScheduler readHeun(SchedulerConfig config) {
        return readPlain(config, Method.HEUN, BetaOptions.clip(config, false), 0.00085, 0.012);
    }

    static EulerScheduler readLms(SchedulerConfig config) {
        return readPlain(config, Method.LMS, Clipping.NONE, 0.0001, 0.02);
    }

    static EulerScheduler readMidpoint(SchedulerConfig config) {
        return readPlain(config, Method.MIDPOINT, Clipping.NONE, 0.00085, 0.012);
    }

    static EulerScheduler readAncestralMidpoint(SchedulerConfig config) {
        return readPlain(config, Method.ANCESTRAL_MIDPOINT, Clipping.NONE, 0.00085, 0.012);
    }

    private static EulerScheduler readPlain(
            SchedulerConfig config, Method method, Clipping clipping, double from, double to) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE, from, to, "linear").withoutFlow(config);
        boolean whole = List.of(Method.MIDPOINT, Method.ANCESTRAL_MIDPOINT).contains(method);
        return plain(method, betas, clipping, BetaOptions.sigmaSpacing(config), whole);
    }

    private static EulerScheduler plain(
            Method method,
            BetaOptions betas,
            Clipping clipping,
            @Nullable SigmaSpacing spacing,
            boolean wholeTimesteps) {
        return new EulerScheduler(
                method, betas, clipping, spacing, wholeTimesteps, null, null, false, false, 0);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return method.solver(
                arguments,
                sigma -> level((float) sigma, betas.schedule().timestepOf((float) sigma)),
                betas.prediction());
    }

    @Override
    public String taken() {
        return method.taken() + " levels";
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        double greatest = levels.stream().mapToDouble(NoiseLevel::sigma).max().orElseThrow();
        return betas.spacing() == Spacing.LEADING ? Math.hypot(greatest, 1) : greatest;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        NoiseSchedule schedule = betas.schedule();
        if (arguments.levels() != null) {
            return BetaOptions.endingAt(
                    NoiseLevel.varianceExploding((float) last, 0),
                    arguments
                            .levels()
                            .levels(
                                    steps,
                                    betas.sigmas(),
                                    sigma -> schedule.timestepOf((float) sigma),
                                    this::level));
        }
        double[] timesteps = betas.timesteps(steps);
        var sigmas = new double[timesteps.length];
        double end = last;
        for (int i = 0; i < sigmas.length; i++) {
            timesteps[i] = (float) timesteps[i];
            sigmas[i] = schedule.sigma(timesteps[i]);
        }
        if (logLinear) {
            double[] all = logLinear(steps + 1);
            System.arraycopy(all, 0, sigmas, 0, steps);
            end = all[steps];
        }
        if (sigmaSpacing != null) {
            sigmas =
                    sigmaSpacing.sigmas(
                            steps,
                            sigmaMax != null ? sigmaMax : sigmas[0],
                            sigmaMin != null ? sigmaMin : logLinear ? end : sigmas[steps - 1]);
            end = last;
        }
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double timestep = sigmaSpacing != null ? schedule.timestepOf(sigmas[i]) : timesteps[i];
            boolean whole = wholeTimesteps && sigmaSpacing == SigmaSpacing.KARRAS;
            levels.add(level(sigmas[i], whole ? Math.rint(timestep) : timestep));
        }
        return BetaOptions.endingAt(NoiseLevel.varianceExploding((float) end, 0), levels);
    }

    private NoiseLevel level(double sigma, double timestep) {
        double rounded = (float) sigma;
        double time = continuous ? 0.25 * (float) Math.log(rounded) : timestep;
        return NoiseLevel.varianceExploding(rounded, (float) time);
    }

    private double[] logLinear(int count) {
        NoiseSchedule schedule = betas.schedule();
        double greatest = schedule.sigma(trainTimesteps() - 1);
        return SigmaSpacing.EXPONENTIAL.sigmas(count, greatest, schedule.sigma(0));
    }
}
