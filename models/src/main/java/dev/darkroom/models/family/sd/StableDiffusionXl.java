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
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952): two CLIP encoders, a U-Net that is
 * also conditioned on the pooled text and sizes, an autoencoder. Turbo and Lightning students of it
 * too, and its refiner, which has the second encoder alone.
 */
public final class StableDiffusionXl implements Family {
    private static final TaskDefaults DEFAULTS =
            new TaskDefaults(
                    new TaskDefaults.Task(50, 5.0, 1),
                    new TaskDefaults.Task(50, 5.0, 0.3),
                    new TaskDefaults.Task(50, 7.5, 0.9999));

    /** Where ControlNets steer it. */
    private static final TaskDefaults CONTROLLED =
            new TaskDefaults(
                    new TaskDefaults.Task(50, 5.0, 1),
                    new TaskDefaults.Task(50, 5.0, 0.8),
                    new TaskDefaults.Task(50, 5.0, 0.9999));

    /** Rows and columns of the latents where a config does not say what it was trained with. */
    private static final int SAMPLE_SIZE = 128;

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER =
            ClipTextEncoder.part("text_encoder");

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER_2 =
            ClipTextEncoder.projectingPart("text_encoder_2");

    /** The refiner's only one, where a checkpoint has it in the first's place. */
    private static final NetworkPart<ClipConfig, ClipTextEncoder> ONLY_TEXT_ENCODER =
            ClipTextEncoder.projectingPart("text_encoder");

    /** The family. */
    public StableDiffusionXl() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(
                "StableDiffusionXLPipeline",
                "StableDiffusionXLImg2ImgPipeline",
                "StableDiffusionXLInpaintPipeline",
                "StableDiffusionXLControlNetPipeline",
                "StableDiffusionXLControlNetImg2ImgPipeline",
                "StableDiffusionXLControlNetInpaintPipeline");
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
        List<ClipPrompts.Parts> texts = texts(checkpoint);
        var parts = SdParts.read(checkpoint, SAMPLE_SIZE);
        parts.requireTextWidth(
                texts.size() == 1 ? "the text encoder is" : "the text encoders together are",
                texts.stream().mapToInt(ClipPrompts.Parts::width).sum());
        int pooled = Objects.requireNonNull(texts.getLast().text().config().projectionDim());
        var numbers =
                checkpoint.flag("requires_aesthetics_score", false)
                        ? XlConditioner.Numbers.SCORED
                        : XlConditioner.Numbers.SIZES;
        requireSized(checkpoint, parts.config(), pooled, numbers);
        List<ClipPrompts> encoders = new ArrayList<>();
        for (ClipPrompts.Parts text : texts) {
            encoders.add(text.load(checkpoint));
        }
        var conditioner =
                new XlConditioner(
                        List.copyOf(encoders),
                        checkpoint.flag("force_zeros_for_empty_prompt", true),
                        numbers,
                        checkpoint.options().dtype());
        return parts.load(conditioner, DEFAULTS, CONTROLLED);
    }

    /** The text encoders: both, or the refiner's one, which projects. */
    private static List<ClipPrompts.Parts> texts(Checkpoint checkpoint) throws IOException {
        boolean first = checkpoint.optionalPart("text_encoder").isPresent();
        boolean second = checkpoint.optionalPart("text_encoder_2").isPresent();
        if (first && second) {
            return List.of(
                    ClipPrompts.read(checkpoint, "tokenizer", TEXT_ENCODER),
                    ClipPrompts.read(checkpoint, "tokenizer_2", TEXT_ENCODER_2));
        }
        if (second) {
            return List.of(ClipPrompts.read(checkpoint, "tokenizer_2", TEXT_ENCODER_2));
        }
        String only = checkpoint.requirePart("text_encoder");
        if (!ONLY_TEXT_ENCODER.classes().contains(only)) {
            checkpoint.requirePart("text_encoder_2");
        }
        return List.of(ClipPrompts.read(checkpoint, "tokenizer", ONLY_TEXT_ENCODER));
    }

    /** Refuses a U-Net with other conditions than the pooled text and the numbers. */
    private static void requireSized(
            Checkpoint checkpoint, UnetConfig config, int pooled, XlConditioner.Numbers numbers)
            throws CheckpointException {
        if (config.additionTimeEmbedDim() == null || config.projectionInputDim() == null) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net is not of Stable Diffusion XL: it has no"
                            + " addition_time_embed_dim, so it is not conditioned on sizes");
        }
        int width = pooled + numbers.count * config.additionTimeEmbedDim();
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
