package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.FileLayout;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/**
 * Stable Diffusion 1.x and 2.x (Rombach et al. 2022, arXiv:2112.10752): a CLIP encoder, a U-Net, an
 * autoencoder. Latent consistency models of it too (Luo et al. 2023, arXiv:2310.04378).
 */
public final class StableDiffusion implements Family {
    private static final String PIPELINE = "StableDiffusionPipeline";
    private static final String CONSISTENCY = "LatentConsistencyModelPipeline";
    private static final String CONSISTENCY_EDIT = "LatentConsistencyModelImg2ImgPipeline";
    private static final TaskDefaults DEFAULTS = TaskDefaults.of(50, 7.5);
    private static final TaskDefaults CONSISTENCY_DEFAULTS = TaskDefaults.of(4, 8.5);

    /** Rows and columns of the latents where a config does not say what it was trained with. */
    private static final int SAMPLE_SIZE = 64;

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER =
            ClipTextEncoder.part("text_encoder");

    /** The family. */
    public StableDiffusion() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(
                PIPELINE,
                CONSISTENCY,
                CONSISTENCY_EDIT,
                "StableDiffusionImg2ImgPipeline",
                "StableDiffusionInpaintPipeline",
                "StableDiffusionControlNetPipeline",
                "StableDiffusionControlNetImg2ImgPipeline",
                "StableDiffusionControlNetInpaintPipeline");
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
    public Optional<FileLayout> fileLayout(Checkpoint checkpoint) throws IOException {
        return Optional.of(OriginalLayout.of(checkpoint));
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        var parts = SdParts.read(checkpoint, SAMPLE_SIZE);
        var text = ClipPrompts.read(checkpoint, "tokenizer", TEXT_ENCODER);
        parts.requireTextWidth("the text encoder is", text.width());
        if (parts.config().isSized()) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net is of Stable Diffusion XL, but "
                            + Checkpoint.INDEX
                            + " asks for "
                            + checkpoint.className());
        }
        ClipPrompts prompts = text.load(checkpoint);
        return parts.load(
                new SdConditioner(prompts, checkpoint.options().dtype()),
                Set.of(CONSISTENCY, CONSISTENCY_EDIT).contains(checkpoint.className())
                        ? CONSISTENCY_DEFAULTS
                        : DEFAULTS);
    }
}
