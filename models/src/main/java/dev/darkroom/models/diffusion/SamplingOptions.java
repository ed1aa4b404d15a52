package dev.darkroom.models.diffusion;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * What a sampler is told for one call, besides what its config says: diffusers' arguments of {@code
 * set_timesteps} and {@code step}.
 *
 * @param eta DDIM's: 0 for no fresh noise, 1 for as much as DDPM
 * @param clippedNoise DDIM's {@code use_clipped_model_output}
 * @param mu the logarithm of the shift of noise levels, where the config asks for one that depends
 *     on the size of the picture; null if none is given
 * @param sigmas flow matching's sigmas before they are shifted, instead of its own; empty for its
 *     own
 */
public record SamplingOptions(
        double eta, boolean clippedNoise, @Nullable Double mu, List<Double> sigmas) {
    /** Nothing special. */
    public static final SamplingOptions NONE = new SamplingOptions(0, false, null, List.of());

    public SamplingOptions {
        if (!(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("eta is from 0 to 1, not " + eta);
        }
        if (mu != null && !Double.isFinite(mu)) {
            throw new IllegalArgumentException("mu is a finite number, not " + mu);
        }
        sigmas = List.copyOf(sigmas);
    }

    /** These options with an eta. */
    public SamplingOptions withEta(double eta) {
        return new SamplingOptions(eta, clippedNoise, mu, sigmas);
    }

    /** These options with or without the noise taken from the clipped x̂0. */
    public SamplingOptions withClippedNoise(boolean clippedNoise) {
        return new SamplingOptions(eta, clippedNoise, mu, sigmas);
    }

    /** These options with a shift. */
    public SamplingOptions withMu(double mu) {
        return new SamplingOptions(eta, clippedNoise, mu, sigmas);
    }

    /** These options with sigmas. */
    public SamplingOptions withSigmas(List<Double> sigmas) {
        return new SamplingOptions(eta, clippedNoise, mu, sigmas);
    }

    /**
     * Refuses what a sampler does not take.
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
    }

    private static void refuse(String name, boolean set, List<String> allowed) {
        if (set && !allowed.contains(name)) {
            throw new IllegalArgumentException("this sampler takes no " + name);
        }
    }
}
