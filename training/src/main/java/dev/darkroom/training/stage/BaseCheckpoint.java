package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Trainable;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.run.RunListener;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint that training begins with, conditioned on captions.
 *
 * @param checkpoint from which nothing is loaded
 * @param type of its network
 * @param input how captions are read
 * @param textLength of a caption in tokens
 * @param samplers its scheduler
 * @param defaults what it says of itself
 */
record BaseCheckpoint(
        Checkpoint checkpoint,
        Trainable<?> type,
        TrainingInput.Text input,
        int textLength,
        SamplerChoice samplers,
        Defaults defaults) {
    /** The part that latents are encoded by. */
    static final String VAE = "vae";

    static final String VAE_CLASS = "AutoencoderKL";

    /**
     * Opens the checkpoint that a config names.
     *
     * @param key of the folder
     */
    static BaseCheckpoint of(ConfigReader json, StageContext context, String key) {
        Path folder = context.folder(json, key);
        String variant = json.textOrNull("variant");
        try {
            var checkpoint = Checkpoint.open(folder, options(DType.FLOAT32, Device.CPU, variant));
            Trainable<?> type = trainable(context, checkpoint);
            if (!(type.input() instanceof TrainingInput.Text input)) {
                throw new IllegalArgumentException(
                        folder
                                + " is conditioned on classes; adapters and students of such"
                                + " checkpoints are not trained yet, only of those that take a"
                                + " prompt");
            }
            input.require(checkpoint);
            type.network().require(checkpoint);
            checkpoint.requirePart(VAE, VAE_CLASS);
            return new BaseCheckpoint(
                    checkpoint,
                    type,
                    input,
                    json.integer("captionTokens", input.length()),
                    SamplerChoice.read(checkpoint),
                    Defaults.read(folder));
        } catch (CheckpointException | IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Trainable<?> trainable(StageContext context, Checkpoint checkpoint) {
        return context.families()
                .of(checkpoint.className())
                .trainable()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        checkpoint.folder()
                                                + ": models of "
                                                + checkpoint.className()
                                                + " can't be trained yet"));
    }

    private static LoadOptions options(DType dtype, Device device, @Nullable String variant) {
        return new LoadOptions(dtype, null, device, false, variant, false, Tiling.OFF);
    }

    /**
     * Opens the checkpoint to load networks into memory of their own.
     *
     * @param warnings are told of what loading meets
     */
    Checkpoint open(DType dtype, Device device, Warnings warnings) throws IOException {
        return Checkpoint.open(checkpoint.folder(), options(dtype, device, variant()), warnings);
    }

    /** Returns the variant of weights that is loaded; null for the plain ones. */
    @Nullable String variant() {
        return checkpoint.options().variant();
    }

    Path part(String name) {
        return checkpoint.folder().resolve(name);
    }

    /** Returns warnings that a run's listener is told, those of what was read so far first. */
    Warnings warnings(RunListener listener) {
        Warnings all = Warnings.passedTo(listener::warned);
        checkpoint.warnings().list().forEach(all::add);
        return all;
    }

    /**
     * Reads captions, with the text encoder as it is.
     *
     * @param run the folder of the run, where what the encoder makes of them is kept
     */
    Conditioning conditioning(PictureFolder data, Path run, Warnings warnings, RunListener listener)
            throws IOException {
        return FrozenCaptions.read(
                this, data, LatentData.cache(run, "captions"), warnings, listener);
    }

    /** Reads what the text encoder would be given. */
    DryRun dryRun(Path data, CacheListener listener) throws IOException {
        return DryRun.ofCaptions(
                data, input, part(TrainingInput.Text.TOKENIZER), textLength, listener);
    }

    /**
     * Copies a part into a result.
     *
     * @param variant whose weights become the plain ones; null to copy everything as it is
     */
    void copy(String part, Library library, @Nullable String variant, CheckpointWriter writer)
            throws IOException {
        writer.copy(part, library, checkpoint.requirePart(part), part(part), variant);
    }

    /** Returns what a result depends on. */
    Map<String, String> identity(String key) throws IOException {
        return Map.of(
                key,
                String.join(
                        " ",
                        List.of(
                                FolderHash.of(part(TrainingInput.Text.TOKENIZER)),
                                FolderHash.of(part(input.encoder().name())),
                                FolderHash.of(part(type.network().name())))));
    }
}
