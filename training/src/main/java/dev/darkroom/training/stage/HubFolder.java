package dev.darkroom.training.stage;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.OneLine;
import dev.darkroom.common.WholeFile;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.WeightFiles;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * A checkpoint while it is written, in the layout of public hubs: a folder for each part, and
 * {@code model_index.json}, which comes last and makes it one.
 */
final class HubFolder {
    /** The library whose classes a checkpoint names, and how it names weights. */
    enum Library {
        DIFFUSERS(WeightFiles.DIFFUSERS),
        TRANSFORMERS(WeightFiles.TRANSFORMERS);

        private final String stem;

        Library(String stem) {
            this.stem = stem;
        }
    }

    private static final String INDEX = "model_index.json";

    /** Whose layout it is; diffusers wants it named. */
    private static final String VERSION = "0.35.2";

    /** Real configs hold infinities. */
    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                    .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
                    .build();

    private final Path folder;
    private final ObjectNode index = JSON.createObjectNode();

    HubFolder(Path folder, String pipelineClass) throws IOException {
        this.folder = Files.createDirectories(folder);
        Files.deleteIfExists(folder.resolve(INDEX)); // no checkpoint until it is whole
        index.put("_class_name", pipelineClass).put("_diffusers_version", VERSION);
    }

    /** An object of JSON text. */
    static ObjectNode object(String json) {
        try {
            return JSON.readValue(json, ObjectNode.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(OneLine.of("not a JSON object: " + json), e);
        }
    }

    /** A network: its config and its weights. */
    void network(
            String part,
            Library library,
            String className,
            ObjectNode config,
            Module network,
            DType dtype)
            throws IOException {
        network(part(part, library, className), library, config, network, dtype);
    }

    /** A network in a folder of its own. */
    static void network(Path into, Library library, ObjectNode config, Module network, DType dtype)
            throws IOException {
        write(into.resolve("config.json"), config);
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            var state = new LinkedHashMap<String, Tensor>();
            network.state().forEach((name, value) -> state.put(name, saved(value.detach(), dtype)));
            SafetensorsWriter.write(
                    into.resolve(library.stem + ".safetensors"), state, Map.of("format", "pt"));
        }
    }

    private static Tensor saved(Tensor value, DType dtype) {
        Tensor cast = value.dtype().isFloatingPoint() ? value.to(dtype) : value;
        return cast.to(Device.CPU).contiguous();
    }

    /** A scheduler: its config. */
    void scheduler(ObjectNode config) throws IOException {
        String className = config.path("_class_name").asText();
        Path into = part("scheduler", Library.DIFFUSERS, className);
        write(into.resolve("scheduler_config.json"), config);
    }

    /** A part that is as it is elsewhere. */
    void copy(String part, Library library, String className, Path from) throws IOException {
        Path into = part(part, library, className);
        if (Files.isSameFile(from, into)) {
            return;
        }
        Files.walkFileTree(
                from,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult preVisitDirectory(Path at, BasicFileAttributes is)
                            throws IOException {
                        Files.createDirectories(into.resolve(from.relativize(at)));
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes is)
                            throws IOException {
                        Files.copy(
                                file,
                                into.resolve(from.relativize(file)),
                                StandardCopyOption.REPLACE_EXISTING);
                        return FileVisitResult.CONTINUE;
                    }
                });
    }

    private Path part(String part, Library library, String className) throws IOException {
        index.putArray(part).add(library.name().toLowerCase(Locale.ROOT)).add(className);
        return Files.createDirectories(folder.resolve(part));
    }

    /** The names of classes by their numbers. */
    void labels(Map<String, String> labels) {
        index.set("id2label", JSON.valueToTree(labels));
    }

    /** How it is sampled where a request leaves it open; what is not said stays its family's. */
    void defaults(Defaults defaults) throws IOException {
        ObjectNode json = JSON.createObjectNode();
        if (defaults.steps() != null) {
            json.put(Defaults.STEPS, defaults.steps());
        }
        if (defaults.guidanceScale() != null) {
            json.put(Defaults.GUIDANCE_SCALE, defaults.guidanceScale());
        }
        Path file = folder.resolve(Defaults.FILE);
        if (json.isEmpty()) {
            Files.deleteIfExists(file);
        } else {
            write(file, json);
        }
    }

    /** Makes it a checkpoint. */
    void finish() throws IOException {
        write(folder.resolve(INDEX), index);
    }

    static void write(Path file, ObjectNode json) throws IOException {
        WholeFile.write(
                file,
                temporary ->
                        JSON.writerWithDefaultPrettyPrinter().writeValue(temporary.toFile(), json));
    }
}
