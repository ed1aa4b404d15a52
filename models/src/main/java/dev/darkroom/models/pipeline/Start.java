package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * Where sampling starts.
 *
 * @param latents at the first level {@code [N,C,h,w]}
 * @param shown what the network sees beside them {@code [N,C',h,w]}; null for nothing
 * @param kept what stays of a picture; null for nothing
 */
record Start(Tensor latents, @Nullable Tensor shown, @Nullable Kept kept) {
    /** A start from noise, or from anything that is not looked at again. */
    static Start at(Tensor latents) {
        return new Start(latents, null, null);
    }

    /** The latents that go on after a step. */
    Tensor after(int evaluation, Tensor latents) {
        return kept == null ? latents : kept.in(latents, evaluation);
    }

    /**
     * The part of a picture that a mask leaves: it is put into the latents after each step, with
     * the noise of their level (Lugmayr et al. 2022, arXiv:2201.09865, equation 8).
     *
     * @param picture its latents {@code [N,C,h,w]}
     * @param noise of the start {@code [N,C,h,w]}
     * @param mask 1 where the picture is made anew, else 0 {@code [1,1,h,w]}
     * @param evaluations of the network, in order
     */
    record Kept(Tensor picture, Tensor noise, Tensor mask, List<NoiseLevel> evaluations) {
        /** After the last step, the picture is clean. */
        Tensor in(Tensor latents, int evaluation) {
            Tensor there = picture;
            if (evaluation + 1 < evaluations.size()) {
                NoiseLevel next = evaluations.get(evaluation + 1);
                there = next.noised(picture, noise);
            }
            return mask.times(latents).plus(mask.subtractedFrom(1).times(there));
        }
    }
}
