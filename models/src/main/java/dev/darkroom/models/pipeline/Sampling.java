package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.family.Defaults;

import org.jspecify.annotations.Nullable;

/**
 * How pictures are sampled. Values left out are the checkpoint's own.
 *
 * @param steps number of sampling steps; null for the checkpoint's, or as many as levels are given
 * @param guidanceScale weight of classifier-free guidance, 1 for none, at most 1000 (Ho and
 *     Salimans 2022), or λ of CFG++ from 0 to 1 for a sampler of that; null for the checkpoint's,
 *     or {@link dev.darkroom.models.diffusion.guidance.CfgPlusPlus#LAMBDA}
 * @param guidance how the estimates with and without the prompt become one, such as a {@link
 *     dev.darkroom.models.diffusion.ClassifierFree} that is rescaled or acts at some noise levels
 *     only, or a {@link dev.darkroom.models.diffusion.guidance.NamedGuidance}, which has {@code
 *     guidanceScale} as its weight; null for classifier-free guidance of {@code guidanceScale}, or
 *     {@link dev.darkroom.models.diffusion.guidance.CfgPlusPlus} for a sampler of that
 * @param sampler name of a sampler, see {@link
 *     dev.darkroom.models.diffusion.diffusers.Scheduler#names}, with settings after a colon if
 *     there are any, such as {@code unipc:solver_order=3}; null for the checkpoint's
 * @param levels the noise levels in place of the sampler's own; null for its own
 * @param eta for DDIM, how much of DDPM's noise is added in each step, from 0 to 1; for TCD its
 *     gamma; null for the sampler's own, which is 0 and 0.3
 * @param end the share of the noise that is taken away, above 0 and at most 1, as diffusers' {@code
 *     denoising_end}; null for all of it
 * @param start the share of the noise that is gone already, above 0 and below 1, as diffusers'
 *     {@code denoising_start}: for latents that another model has sampled up to there; null to
 *     start from noise
 * @param seed of the first picture, as {@link Seed} has them; picture i of the batch has a
 *     generator of its own with {@code seed + i}, where 0 follows the last seed
 * @param oneGenerator whether one generator draws for the whole batch instead, as diffusers' does
 *     where it is given one and no list; then a picture depends on the batch that it is made in
 * @param clippedNoise for DDIM, whether the noise is taken from the clipped estimate: diffusers'
 *     {@code use_clipped_model_output}
 */
public record Sampling(
        @Nullable Integer steps,
        @Nullable Double guidanceScale,
        @Nullable Guidance guidance,
        @Nullable String sampler,
        @Nullable LevelChoice levels,
        @Nullable Double eta,
        @Nullable Double end,
        @Nullable Double start,
        long seed,
        boolean oneGenerator,
        boolean clippedNoise) {
    /**
     * Checks what can be checked without a checkpoint.
     *
     * @throws IllegalArgumentException if a number is out of range
     */
    public Sampling {
        Defaults.requireSteps(steps);
        Defaults.requireGuidanceScale(guidanceScale);
        if (eta != null && !(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("eta must be 0 to 1, not " + eta);
        }
        Integer given = levels == null ? null : levels.steps();
        if (steps != null && given != null && !steps.equals(given)) {
            throw new IllegalArgumentException(
                    given
                            + " noise levels are given, which are as many steps, not "
                            + steps
                            + "; leave the number of steps out");
        }
        steps = given == null ? steps : given;
        if (end != null && !(end > 0 && end <= 1)) {
            throw new IllegalArgumentException(
                    "sampling ends at a share of the noise above 0 and at most 1, not " + end);
        }
        if (start != null && !(start > 0 && start < (end == null ? 1 : end))) {
            throw new IllegalArgumentException(
                    "sampling starts at a share of the noise above 0 and below its end, not "
                            + start);
        }
    }

    /** Sampling to the end, without fresh noise for DDIM. */
    public Sampling(
            @Nullable Integer steps,
            @Nullable Double guidanceScale,
            @Nullable Guidance guidance,
            @Nullable String sampler,
            long seed) {
        this(steps, guidanceScale, guidance, sampler, null, null, null, null, seed, false, false);
    }

    /** This, and where it says nothing, what defaults say. */
    public Sampling orElse(Defaults defaults) {
        return orElse(defaults, null);
    }

    /** This, and where it says nothing, what defaults say, and another sampler. */
    Sampling orElse(Defaults defaults, @Nullable String other) {
        return new Sampling(
                steps == null ? defaults.steps() : steps,
                guidanceScale == null ? defaults.guidanceScale() : guidanceScale,
                guidance,
                sampler == null ? other : sampler,
                levels,
                eta,
                end,
                start,
                seed,
                oneGenerator,
                clippedNoise);
    }
}
