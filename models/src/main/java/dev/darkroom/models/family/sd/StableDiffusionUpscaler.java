package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.NoiseAugmentation;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.TaskDefaults;

import java.io.IOException;
import java.util.Set;

/**
 * The upscaler of Stable Diffusion 2 (Rombach et al. 2022, arXiv:2112.10752, section 4.4): a U-Net
 * that is shown a small picture beside latents of the same size, which an autoencoder makes four
 * times as large. What is shown has noise on it, whose level the U-Net is told as a class.
 */
public final class StableDiffusionUpscaler implements Family {
    private static final String PIPELINE = "StableDiffusionUpscalePipeline";
    private static final TaskDefaults DEFAULTS = TaskDefaults.of(75, 9.0);

    /** Rows and columns of the latents where a config does not say what it was trained with. */
    private static final int SAMPLE_SIZE = 128;

    /** Red, green and blue. */
    private static final int COLOURS = 3;

    /** diffusers' {@code max_noise_level}. */
    private static final int MAX_NOISE_LEVEL = 350;

    /**
     * Of the autoencoder, whatever its config says: the first ones that were published say nothing,
     * and diffusers takes no other.
     */
    private static final double SCALING_FACTOR = 0.08333;

    private static final NetworkPart<ClipConfig, ClipTextEncoder> TEXT_ENCODER =
            ClipTextEncoder.part("text_encoder");

    /** The family. */
    public StableDiffusionUpscaler() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(PIPELINE);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        checkpoint.leaveOut("watermarker");
        var parts = SdParts.readAny(checkpoint, SAMPLE_SIZE);
        Integer levels = parts.config().numClassEmbeds();
        if (parts.shown() != COLOURS || levels == null) {
            throw parts.unfit("is shown a picture of 3 channels, and told a level of noise");
        }
        var text = ClipPrompts.read(checkpoint, "tokenizer", TEXT_ENCODER);
        parts.requireTextWidth("the text encoder is", text.width());
        NoiseAugmentation augmentation = augmentation(checkpoint, levels);
        var conditioner = new SdConditioner(text.load(checkpoint), checkpoint.options().dtype());
        return parts.loadUpscaler(
                new UpscaleConditioner(conditioner, augmentation),
                DEFAULTS,
                augmentation,
                SCALING_FACTOR);
    }

    /**
     * Reads the noise on what the U-Net is shown.
     *
     * @param levels that the U-Net can be told
     */
    private static NoiseAugmentation augmentation(Checkpoint checkpoint, int levels)
            throws IOException {
        var scheduler = SamplerChoice.read(checkpoint, "low_res_scheduler").own();
        NoiseSchedule schedule = scheduler.process().schedule();
        int max = checkpoint.number("max_noise_level", MAX_NOISE_LEVEL);
        if (schedule == null || max < 0 || max >= Math.min(levels, schedule.timesteps())) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": max_noise_level is "
                            + max
                            + ", but the U-Net knows "
                            + levels
                            + " levels of noise, and the low_res_scheduler "
                            + (schedule == null ? 0 : schedule.timesteps()));
        }
        return new NoiseAugmentation(schedule, max);
    }
}
