package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * Three choices that compose: the levels of a process, the solver that moves along them, and how
 * x̂0 is clipped on the way.
 *
 * @param levels from the noisiest to that of the result, or the other way {@linkplain #inverted
 *     back}; two at least
 * @param initialScale what standard normal noise is multiplied by to be latents at the first level:
 *     diffusers' {@code init_noise_sigma}
 */
public record SamplingPlan(
        List<NoiseLevel> levels, double initialScale, Solver solver, Clipping clipping) {
    public SamplingPlan {
        levels = List.copyOf(levels);
        Walk.requireLevels(levels);
    }

    /**
     * The levels at which the denoiser is called, in order; their timesteps are diffusers' {@code
     * timesteps}.
     */
    public List<NoiseLevel> evaluations() {
        return solver.evaluations(levels);
    }

    /** The level of the result. */
    public NoiseLevel end() {
        return levels.getLast();
    }

    /** The number of steps, of which a solver may evaluate the denoiser more than once each. */
    public int steps() {
        return levels.size() - 1;
    }

    /** These levels and this clipping with another solver. */
    public SamplingPlan with(Solver other) {
        return new SamplingPlan(levels, initialScale, other, clipping);
    }

    /**
     * The last steps of this plan, which start from data that has noise added (SDEdit: Meng et al.
     * 2022, arXiv:2108.01073).
     *
     * @param strength the share of the steps that is taken, from 0 to 1, as in diffusers: ⌊steps ·
     *     strength⌋
     * @throws IllegalArgumentException if it is no such share, or leaves no step
     */
    public SamplingPlan tail(double strength) {
        int taken = (int) Math.min(steps() * strength, steps());
        if (!(strength >= 0 && strength <= 1) || taken < 1) {
            throw new IllegalArgumentException(
                    "a strength from "
                            + 1.0 / steps()
                            + " to 1 takes at least one of "
                            + steps()
                            + " steps, but not "
                            + strength);
        }
        return without(steps() - taken);
    }

    /**
     * The last steps of this plan: those that begin below a timestep. They start from latents that
     * {@link #downTo} left noisy.
     *
     * @throws IllegalArgumentException if there is no such step
     */
    public SamplingPlan from(double timestep) {
        int skipped = begunFrom(timestep);
        if (skipped == steps()) {
            throw new IllegalArgumentException(
                    "no step begins below timestep "
                            + timestep
                            + ", only at "
                            + levels.get(steps() - 1).timestep()
                            + " and above");
        }
        return without(skipped);
    }

    /**
     * The way back: from data along these levels to the latents at the first, from which {@link
     * Solvers#euler} or {@link Solvers#ddim} makes them again ({@link Inversion#solve}).
     *
     * @param iterations evaluations in each step
     */
    public SamplingPlan inverted(int iterations) {
        return new SamplingPlan(levels.reversed(), 1, Solver.inversion(iterations), clipping);
    }

    /** How many steps begin at a timestep or above, before the first that does not. */
    private int begunFrom(double timestep) {
        int begun = 0;
        while (begun < steps() && levels.get(begun).timestep() >= timestep) {
            begun++;
        }
        return begun;
    }

    private SamplingPlan without(int skipped) {
        Solver.Tail tail = solver.tail(levels, skipped);
        return new SamplingPlan(tail.levels(), initialScale, tail.solver(), clipping);
    }

    /**
     * The first steps of this plan: those that begin at a timestep or above. Their result is noisy.
     *
     * @throws IllegalArgumentException if there is no such step
     */
    public SamplingPlan downTo(double timestep) {
        int taken = begunFrom(timestep);
        if (taken == 0) {
            throw new IllegalArgumentException(
                    "no step begins at timestep "
                            + timestep
                            + " or above, only at "
                            + levels.getFirst().timestep()
                            + " and below");
        }
        return new SamplingPlan(levels.subList(0, taken + 1), initialScale, solver, clipping);
    }

    /**
     * Latents at the first level: data with noise added.
     *
     * @param x0 data {@code [N,C,…]}
     * @param noise standard normal, of the same shape
     */
    public Tensor start(Tensor x0, Tensor noise) {
        return levels.getFirst().noised(x0, noise);
    }

    /**
     * Samples.
     *
     * @param denoiser is called once for each of {@link #evaluations}, not yet clipped
     * @param x latents at the first level, such as noise times {@link #initialScale} {@code
     *     [N,C,…]}; left as they are
     * @param noise is asked only by solvers that add noise
     * @return latents at the last level {@code [N,C,…]}, in the caller's scope
     */
    public Tensor sample(Denoiser denoiser, Tensor x, NoiseSource noise, StepListener on) {
        return solver.solve(clipping.around(denoiser), x, levels, noise, on);
    }
}
