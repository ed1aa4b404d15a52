package dev.darkroom.models.family;

import dev.darkroom.models.text.TextualInversion;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.List;

/**
 * A model of some family, ready to sample.
 *
 * @param network predicts from noisy latents
 * @param conditioner makes conditions of what a request asks for
 * @param codec between pictures and latents
 * @param samplers the checkpoint's scheduler, and those that can take its place
 * @param sizes which pictures it makes
 * @param defaults of the family, where neither request nor checkpoint say anything
 * @param augmentation the noise on the picture that an upscaler is shown; null for any other model
 * @param controls the ControlNets that it was loaded with
 */
public record Model(
        DiffusionNetwork network,
        Conditioner conditioner,
        LatentCodec codec,
        SamplerChoice samplers,
        Sizes sizes,
        TaskDefaults defaults,
        @Nullable NoiseAugmentation augmentation,
        ControlNets controls) {
    /** A model that is no upscaler, without ControlNets. */
    public Model(
            DiffusionNetwork network,
            Conditioner conditioner,
            LatentCodec codec,
            SamplerChoice samplers,
            Sizes sizes,
            TaskDefaults defaults) {
        this(network, conditioner, codec, samplers, sizes, defaults, null, ControlNets.NONE);
    }

    /**
     * Returns this model with learned embeddings that prompts may name.
     *
     * @throws IOException if it takes none, or one does not fit
     */
    public Model withEmbeddings(List<TextualInversion> embeddings) throws IOException {
        return new Model(
                network,
                conditioner.withEmbeddings(embeddings),
                codec,
                samplers,
                sizes,
                defaults,
                augmentation,
                controls);
    }
}
