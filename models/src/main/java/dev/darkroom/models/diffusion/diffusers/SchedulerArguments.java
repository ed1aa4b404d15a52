package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Churn;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * The arguments of one call, besides what a scheduler's config says: diffusers' arguments of {@code
 * set_timesteps} and {@code step}.
 *
 * @param eta DDIM's: 0 for no fresh noise, 1 for as much as DDPM; TCD's gamma; null for the
 *     sampler's own, which is 0 and 0.3
 * @param clippedNoise DDIM's {@code use_clipped_model_output}
 * @param mu the logarithm of the shift of noise levels, where the config asks for one that depends
 *     on the size of the picture; null to have it follow from {@code tokens}
 * @param tokens of the picture, as the network counts them; null if it is not known. Only a config
 *     with dynamic shifting looks at it
 * @param levels the noise levels in place of the sampler's own; null for its own
 * @param churn noise that is added before each step; null for none
 * @param order of a linear multistep method; null for its own, 4
 * @param strength of the timesteps that a student was distilled on, the share of which the last are
 *     taken, above 0 and at most 1
 */
public record SchedulerArguments(
        @Nullable Double eta,
        boolean clippedNoise,
        @Nullable Double mu,
        @Nullable Long tokens,
        @Nullable LevelChoice levels,
        @Nullable Churn churn,
        @Nullable Integer order,
        double strength) {
    static final String STRENGTH = "strength";

    /** The arguments of a call that has none. */
    public static final SchedulerArguments NONE =
            new SchedulerArguments(null, false, null, null, null, null, null, 1);

    public SchedulerArguments {
        if (eta != null && !(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("eta is from 0 to 1, not " + eta);
        }
        if (mu != null && !Double.isFinite(mu)) {
            throw new IllegalArgumentException("mu is a finite number, not " + mu);
        }
        if (!(strength > 0 && strength <= 1)) {
            throw new IllegalArgumentException(
                    "a strength is above 0 and at most 1, not " + strength);
        }
    }

    /** These arguments with an eta. */
    public SchedulerArguments withEta(@Nullable Double eta) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with an eta. */
    public SchedulerArguments withEta(double eta) {
        return withEta(Double.valueOf(eta));
    }

    /** These arguments with or without the noise taken from the clipped x̂0. */
    public SchedulerArguments withClippedNoise(boolean clippedNoise) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with a shift. */
    public SchedulerArguments withMu(double mu) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with the picture's tokens. */
    public SchedulerArguments withTokens(long tokens) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with noise levels. */
    public SchedulerArguments withLevels(@Nullable LevelChoice levels) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with sigmas: {@link LevelChoice#ofSigmas}. */
    public SchedulerArguments withSigmas(List<Double> sigmas) {
        return withLevels(LevelChoice.ofSigmas(sigmas));
    }

    /** These arguments with churn. */
    public SchedulerArguments withChurn(@Nullable Churn churn) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with an order. */
    public SchedulerArguments withOrder(@Nullable Integer order) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** These arguments with a strength. */
    public SchedulerArguments withStrength(double strength) {
        return new SchedulerArguments(
                eta, clippedNoise, mu, tokens, levels, churn, order, strength);
    }

    /** The eta, or a sampler's own. */
    double eta(double own) {
        return eta == null ? own : eta;
    }

    /**
     * Refuses what a scheduler does not take.
     *
     * @param taken names of components, separated by spaces
     * @throws IllegalArgumentException if another one is set
     */
    void requireNoneBut(String taken) {
        List<String> allowed = List.of(taken.split(" "));
        refuse("eta", eta != null && eta != 0, allowed);
        refuse("clippedNoise", clippedNoise, allowed);
        refuse("mu", mu != null, allowed);
        refuse("levels", levels != null, allowed);
        refuse("churn", churn != null, allowed);
        refuse("order", order != null, allowed);
        refuse(STRENGTH, strength != 1, allowed);
    }

    private static void refuse(String name, boolean set, List<String> allowed) {
        if (set && !allowed.contains(name)) {
            throw new IllegalArgumentException("this sampler takes no " + name);
        }
    }
}
