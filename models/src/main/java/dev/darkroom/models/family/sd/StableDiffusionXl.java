package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952): two CLIP encoders, a U-Net that is
 * also conditioned on the pooled text and sizes, an autoencoder. Turbo and Lightning students of it
 * too.
 */
public final class StableDiffusionXl implements Family {
    private static final Defaults DEFAULTS = new Defaults(50, 5.0);

    /** Rows and columns of the latents where a config does not say what it was trained with. */
    private static final int SAMPLE_SIZE = 128;

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER =
            ClipTextEncoder.part("text_encoder");

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER_2 =
            ClipTextEncoder.projectingPart("text_encoder_2");

    /** The family. */
    public StableDiffusionXl() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(
                "StableDiffusionXLPipeline",
                "StableDiffusionXLImg2ImgPipeline",
                "StableDiffusionXLInpaintPipeline");
    }

    @Override
    public boolean reads(SafetensorsHeader file) {
        return OriginalFile.isOf(file, pipelines());
    }

    @Override
    public Optional<HubLayout> layout(SafetensorsHeader file) throws IOException {
        return OriginalFile.layoutOf(file);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        if (checkpoint.flag("requires_aesthetics_score", false)) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + " is a refiner of Stable Diffusion XL, which is not sampled yet;"
                            + " load the base model");
        }
        var first = ClipPrompts.read(checkpoint, "tokenizer", TEXT_ENCODER);
        var second = ClipPrompts.read(checkpoint, "tokenizer_2", TEXT_ENCODER_2);
        var parts = SdParts.read(checkpoint, SAMPLE_SIZE);
        parts.requireTextWidth("the text encoders together are", first.width() + second.width());
        int pooled = Objects.requireNonNull(second.text().config().projectionDim());
        requireSized(checkpoint, parts.config(), pooled);
        var conditioner =
                new XlConditioner(
                        first.load(checkpoint),
                        second.load(checkpoint),
                        checkpoint.flag("force_zeros_for_empty_prompt", true),
                        checkpoint.options().dtype());
        return parts.load(conditioner, DEFAULTS);
    }

    /** Refuses a U-Net with other conditions than the pooled text and six numbers. */
    private static void requireSized(Checkpoint checkpoint, UnetConfig config, int pooled)
            throws CheckpointException {
        if (config.additionTimeEmbedDim() == null || config.projectionInputDim() == null) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net is not of Stable Diffusion XL: it has no"
                            + " addition_time_embed_dim, so it is not conditioned on sizes");
        }
        int width = pooled + XlConditioner.NUMBERS * config.additionTimeEmbedDim();
        if (width != config.projectionInputDim()) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the pooled text is "
                            + pooled
                            + " wide, which makes "
                            + width
                            + " with the sizes, but the U-Net takes "
                            + config.projectionInputDim());
        }
    }
}
