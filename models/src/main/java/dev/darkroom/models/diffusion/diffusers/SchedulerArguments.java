package dev.darkroom.models.diffusion.diffusers;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * The arguments of one call, besides what a scheduler's config says: diffusers' arguments of {@code
 * set_timesteps} and {@code step}.
 *
 * @param eta DDIM's: 0 for no fresh noise, 1 for as much as DDPM
 * @param clippedNoise DDIM's {@code use_clipped_model_output}
 * @param mu the logarithm of the shift of noise levels, where the config asks for one that depends
 *     on the size of the picture; null to have it follow from {@code tokens}
 * @param tokens of the picture, as the network counts them; null if it is not known. Only a config
 *     with dynamic shifting looks at it
 * @param sigmas flow matching's sigmas before they are shifted, instead of its own; empty for its
 *     own
 * @param timesteps that a consistency model is evaluated at, instead of evenly spaced ones; empty
 *     for its own
 * @param strength of latent consistency sampling: the share of the student's timesteps that it
 *     takes its steps from, above 0 and at most 1
 */
public record SchedulerArguments(
        double eta,
        boolean clippedNoise,
        @Nullable Double mu,
        @Nullable Long tokens,
        List<Double> sigmas,
        List<Integer> timesteps,
        double strength) {
    static final String STRENGTH = "strength";

    /** The arguments of a call that has none. */
    public static final SchedulerArguments NONE =
            new SchedulerArguments(0, false, null, null, List.of(), List.of(), 1);

    public SchedulerArguments {
        if (!(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("eta is from 0 to 1, not " + eta);
        }
        if (mu != null && !Double.isFinite(mu)) {
            throw new IllegalArgumentException("mu is a finite number, not " + mu);
        }
        sigmas = List.copyOf(sigmas);
        timesteps = List.copyOf(timesteps);
        if (!(strength > 0 && strength <= 1)) {
            throw new IllegalArgumentException(
                    "strength is above 0 and at most 1, not " + strength);
        }
    }

    /** These arguments with an eta. */
    public SchedulerArguments withEta(double eta) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with or without the noise taken from the clipped x̂0. */
    public SchedulerArguments withClippedNoise(boolean clippedNoise) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with a shift. */
    public SchedulerArguments withMu(double mu) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with the picture's tokens. */
    public SchedulerArguments withTokens(long tokens) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with sigmas. */
    public SchedulerArguments withSigmas(List<Double> sigmas) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with timesteps. */
    public SchedulerArguments withTimesteps(List<Integer> timesteps) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /** These arguments with a strength. */
    public SchedulerArguments withStrength(double strength) {
        return new SchedulerArguments(eta, clippedNoise, mu, tokens, sigmas, timesteps, strength);
    }

    /**
     * Refuses what a scheduler does not take.
     *
     * @param taken names of components, separated by spaces
     * @throws IllegalArgumentException if another one is set
     */
    void requireNoneBut(String taken) {
        List<String> allowed = List.of(taken.split(" "));
        refuse("eta", eta != 0, allowed);
        refuse("clippedNoise", clippedNoise, allowed);
        refuse("mu", mu != null, allowed);
        refuse("sigmas", !sigmas.isEmpty(), allowed);
        refuse("timesteps", !timesteps.isEmpty(), allowed);
        refuse(STRENGTH, strength != 1, allowed);
    }

    private static void refuse(String name, boolean set, List<String> allowed) {
        if (set && !allowed.contains(name)) {
            throw new IllegalArgumentException("this sampler takes no " + name);
        }
    }
}
