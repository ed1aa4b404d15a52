package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.UnfinishedDownload;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.run.RunListener;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint that training begins with: a PixArt one.
 *
 * @param folder that holds {@code model_index.json}
 * @param index the content of that file
 * @param sampler its scheduler
 * @param places tokens of a caption
 * @param warnings of what was read so far
 */
record Source(Path folder, ObjectNode index, Scheduler sampler, int places, Warnings warnings) {
    /** PixArt's, and what older checkpoints call it. */
    private static final List<String> CLASSES =
            List.of(CaptionConditioning.CLASS_NAME, "Transformer2DModel");

    static Source of(ConfigReader json, Places places, String key) {
        Path folder = places.folder(json, key);
        UnfinishedDownload.of(folder.resolve("model_index.json"))
                .ifPresent(
                        problem -> {
                            throw new IllegalArgumentException(key + ": " + problem);
                        });
        if (!Files.isRegularFile(folder.resolve("model_index.json"))) {
            throw new IllegalArgumentException(
                    key + ": " + folder + " holds no model_index.json; name a whole checkpoint");
        }
        try {
            ObjectNode index = ConfigReader.object(folder.resolve("model_index.json"));
            Warnings warnings = Warnings.collected();
            var sampler =
                    Scheduler.read(
                            folder.resolve("scheduler").resolve("scheduler_config.json"), warnings);
            return new Source(folder, index, sampler, json.integer("captionTokens", 120), warnings);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path part(String name) {
        return folder.resolve(name);
    }

    /** A part's config. */
    ObjectNode config(String part, String file) throws IOException {
        return ConfigReader.object(part(part).resolve(file));
    }

    /**
     * Captions, with its text encoder as it is.
     *
     * @param cache where what it makes of them is kept
     */
    CaptionConditioning conditioning(PictureFolder data, Path cache, RunListener listener)
            throws IOException {
        warnings.list().forEach(listener::warned);
        Warnings told = Warnings.passedTo(listener::warned);
        ObjectNode json = config("transformer", "config.json");
        String className = json.path("_class_name").asText();
        if (!CLASSES.contains(className)) {
            throw new IllegalArgumentException(
                    part("transformer")
                            + " is a "
                            + className
                            + "; a checkpoint with a "
                            + CaptionConditioning.CLASS_NAME
                            + " is needed");
        }
        var config = PixArtConfig.read(part("transformer").resolve("config.json"), told);
        return new CaptionConditioning(
                config, json, FrozenCaptions.read(this, data, cache, listener));
    }

    /** Reads what its text encoder would be given. */
    DryRun dryRun(Path data, CacheListener listener) throws IOException {
        return DryRun.ofCaptions(data, part("tokenizer"), places, listener);
    }

    /** Its network, in memory of its own. */
    DiffusionNetwork network(
            Conditioning conditioning, DType dtype, Device device, RunListener listener)
            throws IOException {
        return Inputs.network(
                part("transformer"),
                WeightFiles.DIFFUSERS,
                dtype,
                device,
                Warnings.passedTo(listener::warned),
                (weights, type, on, told) ->
                        Weights.load(weights, type, on, told, conditioning::network));
    }

    /** What a result depends on. */
    Map<String, String> identity(String key) throws IOException {
        return Map.of(
                key,
                String.join(
                        " ",
                        List.of(
                                Inputs.hash(part("tokenizer")),
                                Inputs.hash(part("text_encoder")),
                                Inputs.hash(part("transformer")))));
    }
}
