package dev.darkroom.models.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.SamplerSpec;
import dev.darkroom.models.training.data.CacheListener;
import dev.darkroom.models.training.data.PictureFolder;
import dev.darkroom.models.training.run.RunListener;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.WeightFiles;

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
 */
record Source(Path folder, ObjectNode index, SamplerSpec sampler, int places) {
    static Source of(ConfigReader json, Places places, String key) {
        Path folder = places.folder(json, key);
        if (!Files.isRegularFile(folder.resolve("model_index.json"))) {
            throw new IllegalArgumentException(
                    key + ": " + folder + " holds no model_index.json; name a whole checkpoint");
        }
        try {
            ObjectNode index =
                    HubFolder.object(Files.readString(folder.resolve("model_index.json")));
            var sampler =
                    SamplerSpec.read(folder.resolve("scheduler").resolve("scheduler_config.json"));
            return new Source(folder, index, sampler, json.integer("captionTokens", 120));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path part(String name) {
        return folder.resolve(name);
    }

    /** A part's config. */
    ObjectNode config(String part, String file) throws IOException {
        return HubFolder.object(Files.readString(part(part).resolve(file)));
    }

    /**
     * Captions, with its text encoder as it is.
     *
     * @param cache where what it makes of them is kept
     */
    CaptionConditioning conditioning(PictureFolder data, Path cache, RunListener listener)
            throws IOException {
        ObjectNode json = config("transformer", "config.json");
        String className = json.path("_class_name").asText();
        if (!className.equals(CaptionConditioning.CLASS_NAME)) {
            throw new IllegalArgumentException(
                    part("transformer")
                            + " is a "
                            + className
                            + "; a checkpoint with a "
                            + CaptionConditioning.CLASS_NAME
                            + " is needed");
        }
        return new CaptionConditioning(json, FrozenCaptions.read(this, data, cache, listener));
    }

    /** Reads what its text encoder would be given. */
    DryRun dryRun(Path data, CacheListener listener) throws IOException {
        return DryRun.ofCaptions(data, part("tokenizer"), places, listener);
    }

    /** Its network, in memory of its own. */
    Module network(Conditioning conditioning, DType dtype, Device device) throws IOException {
        return Inputs.network(
                part("transformer"),
                WeightFiles.DIFFUSERS,
                dtype,
                device,
                (weights, type, on) -> Weights.load(weights, type, on, conditioning::network));
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
