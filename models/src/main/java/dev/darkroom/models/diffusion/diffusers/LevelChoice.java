package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.NoiseLevel;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/**
 * Noise levels that a call chooses in place of its sampler's own: a spacing by its name, timesteps
 * or sigmas, one of them. Sampling ends after them as it does after the sampler's own.
 *
 * @param spacing how the levels lie; null for given ones
 * @param timesteps where the network is called, latest first
 * @param sigmas the noise levels where it is called, greatest first: noise over data, or for flow
 *     matching the sigma before its shift. A 0 at the end is left out
 */
public record LevelChoice(
        @Nullable LevelSpacing spacing, List<Double> timesteps, List<Double> sigmas) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if not one of the three is given, or numbers do not fall
     */
    public LevelChoice {
        timesteps = List.copyOf(timesteps);
        boolean ended = sigmas.size() > 1 && sigmas.getLast() == 0;
        sigmas = List.copyOf(ended ? sigmas.subList(0, sigmas.size() - 1) : sigmas);
        int given =
                (spacing == null ? 0 : 1)
                        + (timesteps.isEmpty() ? 0 : 1)
                        + (sigmas.isEmpty() ? 0 : 1);
        if (given != 1) {
            throw new IllegalArgumentException(
                    "noise levels are given by a name, by timesteps or by sigmas: give one of"
                            + " them");
        }
        requireFalling("timesteps", timesteps, 0);
        requireFalling("sigmas", sigmas, Double.MIN_VALUE);
    }

    /** A spacing by its name. */
    public static LevelChoice of(LevelSpacing spacing) {
        return new LevelChoice(spacing, List.of(), List.of());
    }

    /** Given timesteps. */
    public static LevelChoice ofTimesteps(List<Double> timesteps) {
        return new LevelChoice(null, timesteps, List.of());
    }

    /** Given sigmas. */
    public static LevelChoice ofSigmas(List<Double> sigmas) {
        return new LevelChoice(null, List.of(), sigmas);
    }

    private static void requireFalling(String what, List<Double> numbers, double least) {
        double before = Double.POSITIVE_INFINITY;
        for (double number : numbers) {
            if (!(number < before && number >= least)) {
                throw new IllegalArgumentException(
                        what
                                + " fall from the greatest to the least, above or at 0, not "
                                + numbers);
            }
            before = number;
        }
    }

    /** How many steps these levels are; null if any number can be. */
    public @Nullable Integer steps() {
        return spacing != null ? null : Math.max(timesteps.size(), sigmas.size());
    }

    /** A level by its sigma and timestep. */
    interface Form {
        NoiseLevel level(double sigma, double timestep);
    }

    /**
     * The levels where the network is called.
     *
     * @param sigmas of the model, by its timesteps
     * @param timestepOf the timestep of a sigma
     * @throws IllegalArgumentException if there are not as many, or a timestep is outside the
     *     model's
     */
    List<NoiseLevel> levels(
            int steps, ModelSigmas sigmas, DoubleUnaryOperator timestepOf, Form form) {
        Integer given = steps();
        if (given != null && given != steps) {
            throw new IllegalArgumentException(
                    given + " noise levels are given for " + steps + " steps");
        }
        List<NoiseLevel> levels = new ArrayList<>();
        for (double timestep : timesteps) {
            if (timestep > sigmas.count() - 1 + sigmas.first()) {
                throw new IllegalArgumentException(
                        "timestep "
                                + timestep
                                + " is outside the model's, the last of which is "
                                + (sigmas.count() - 1 + sigmas.first()));
            }
            levels.add(form.level(sigmas.at(timestep), timestep));
        }
        for (double sigma : chosen(steps, sigmas)) {
            levels.add(form.level(sigma, timestepOf.applyAsDouble(sigma)));
        }
        return levels;
    }

    /** The sigmas, given or spaced; none for timesteps. */
    double[] chosen(int steps, ModelSigmas model) {
        return spacing != null
                ? spacing.sigmas(steps, model)
                : sigmas.stream().mapToDouble(Double::doubleValue).toArray();
    }
}
