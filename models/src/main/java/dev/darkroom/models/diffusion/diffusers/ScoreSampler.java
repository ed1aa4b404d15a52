package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.PredictorCorrector;
import dev.darkroom.models.diffusion.Solver;

import org.jspecify.annotations.Nullable;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleFunction;

/**
 * Samplers by the score, which diffusers has in no such form: an adaptive ODE solver,
 * predictor–corrector sampling and annealed Langevin dynamics. They move along the levels of {@code
 * EulerDiscreteScheduler}, or of a flow's own scheduler.
 *
 * @param own the scheduler whose levels they are
 */
record ScoreSampler(Scheduler own, Solver solver) implements Scheduler {
    /** Of the class whose levels they move along. */
    static final String LEVELS = "EulerDiscreteScheduler";

    private static final String RK45 = "rk45";
    private static final String CORRECTED = "pc";
    private static final String LANGEVIN = "langevin";

    /** What each is, with its paper, by its name. */
    static final Map<String, String> DESCRIPTIONS = new LinkedHashMap<>();

    static {
        DESCRIPTIONS.put(
                RK45,
                "Runge-Kutta 4(5) with a tolerance, rtol, between few levels (Song et al. 2021,"
                        + " arXiv:2011.13456)");
        DESCRIPTIONS.put(
                CORRECTED,
                "ancestral steps, each after a Langevin correction (Song et al. 2021,"
                        + " arXiv:2011.13456)");
        DESCRIPTIONS.put(
                LANGEVIN,
                "annealed Langevin dynamics, several steps a level (Song and Ermon 2019,"
                        + " arXiv:1907.05600)");
    }

    /**
     * Reads one.
     *
     * @param config of the model
     * @param levels its scheduler, or another with levels for it
     * @throws IllegalArgumentException if it does not fit the model
     */
    static ScoreSampler of(String name, SchedulerConfig config, Scheduler levels) {
        if (name.equals(LANGEVIN) && levels.process().isFlow()) {
            throw new IllegalArgumentException(
                    "sampler langevin moves along levels with alpha = 1, but a model made by flow"
                            + " matching has others; take one of the other samplers");
        }
        Solver solver =
                switch (name) {
                    case RK45 -> Solver.rk45(config.number("rtol", 1e-3), level(levels.process()));
                    case CORRECTED ->
                            Solver.predictorCorrector(
                                    PredictorCorrector.Predictor.ANCESTRAL,
                                    config.integer("corrector_steps", 1),
                                    config.number("snr", 0.16));
                    case LANGEVIN ->
                            Solver.langevin(
                                    config.integer("langevin_steps", 5),
                                    config.number("langevin_step_size", 0.2));
                    default -> throw new IllegalArgumentException("no such sampler: " + name);
                };
        return new ScoreSampler(levels, solver);
    }

    private static @Nullable DoubleFunction<NoiseLevel> level(ForwardProcess process) {
        NoiseSchedule schedule = process.schedule();
        return schedule == null
                ? null
                : sigma -> NoiseLevel.varianceExploding(sigma, schedule.timestepOf(sigma));
    }

    @Override
    public ForwardProcess process() {
        return own.process();
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return own.levels(steps, arguments);
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return own.initialScale(levels);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return solver;
    }

    @Override
    public String taken() {
        return own.taken();
    }
}
