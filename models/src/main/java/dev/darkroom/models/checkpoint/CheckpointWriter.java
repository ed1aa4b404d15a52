package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Writes a checkpoint in the layout of public hubs, which {@link Checkpoint} reads: a folder for
 * each part, and {@code model_index.json}, which comes last and makes it one.
 */
public final class CheckpointWriter {
    /** Whose layout it is; diffusers wants it named. */
    private static final String VERSION = "0.35.2";

    /** What transformers wants to be told of a file. */
    private static final Map<String, String> FORMAT = Map.of("format", "pt");

    /** Weights of any variant, and indexes of them. */
    private static final Pattern WEIGHTS =
            Pattern.compile(".*\\.safetensors|.*\\.safetensors\\..*json");

    private final Path folder;
    private final ObjectNode index = JsonNodeFactory.instance.objectNode();

    /**
     * Begins a checkpoint.
     *
     * @param folder is made if it is missing; it is no checkpoint from now on
     * @param pipelineClass such as {@code PixArtAlphaPipeline}
     */
    public CheckpointWriter(Path folder, String pipelineClass) throws IOException {
        this.folder = Files.createDirectories(folder);
        Files.deleteIfExists(folder.resolve(Checkpoint.INDEX));
        index.put("_class_name", pipelineClass).put("_diffusers_version", VERSION);
    }

    /**
     * Writes a network: its config and its weights.
     *
     * @param dtype that floating point weights are written in
     */
    public void network(Architecture<?, ?> architecture, Module network, DType dtype)
            throws IOException {
        NetworkPart<?, ?> part = architecture.part();
        Path into = part(part.name(), part.library(), architecture.className());
        network(into, part.library(), architecture.json(), network, dtype);
    }

    /**
     * Writes a part that has no checkpoint around it yet: config and weights.
     *
     * @param into the part's folder
     * @param dtype that floating point weights are written in
     */
    public static void network(
            Path into, Library library, ObjectNode config, Module network, DType dtype)
            throws IOException {
        ConfigWriter.write(into.resolve(Architecture.FILE), config);
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            var state = new LinkedHashMap<String, Tensor>();
            network.state().forEach((name, value) -> state.put(name, saved(value.detach(), dtype)));
            SafetensorsWriter.write(into.resolve(library.stem() + ".safetensors"), state, FORMAT);
        }
    }

    private static Tensor saved(Tensor value, DType dtype) {
        Tensor cast = value.dtype().isFloatingPoint() ? value.to(dtype) : value;
        return cast.to(Device.CPU).contiguous();
    }

    /** Writes a scheduler: its config. */
    public void scheduler(ObjectNode config) throws IOException {
        String className = config.path("_class_name").asText();
        Path into = part("scheduler", Library.DIFFUSERS, className);
        ConfigWriter.write(into.resolve("scheduler_config.json"), config);
    }

    /**
     * Copies a part from elsewhere.
     *
     * @param from its folder
     * @param variant whose weights become the plain ones, in place of all others; null to copy
     *     everything as it is
     */
    public void copy(
            String part, Library library, String className, Path from, @Nullable String variant)
            throws IOException {
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
                        String name = file.getFileName().toString();
                        if (variant == null || !WEIGHTS.matcher(name).matches()) {
                            copyFile(file, into.resolve(from.relativize(file)));
                        }
                        return FileVisitResult.CONTINUE;
                    }
                });
        if (variant != null) {
            copyWeights(WeightFiles.find(from, library.stem(), variant).path(), into, library);
        }
    }

    /** Copies a file, or an index and its shards; the former gets its plain name. */
    private static void copyWeights(Path weights, Path into, Library library) throws IOException {
        boolean isIndex = weights.getFileName().toString().endsWith(".json");
        copyFile(
                weights,
                into.resolve(library.stem() + ".safetensors" + (isIndex ? ".index.json" : "")));
        if (isIndex) {
            try (var shards = Safetensors.open(weights, LoadMode.MAPPED)) {
                for (var header : shards.headers()) {
                    copyFile(header.file(), into.resolve(header.file().getFileName()));
                }
            }
        }
    }

    private static void copyFile(Path file, Path to) throws IOException {
        Files.copy(file, to, StandardCopyOption.REPLACE_EXISTING);
    }

    private Path part(String part, Library library, String className) throws IOException {
        index.putArray(part).add(library.toString()).add(className);
        return Files.createDirectories(folder.resolve(part));
    }

    /** Writes the names of classes by their numbers. */
    public void labels(Map<String, String> labels) {
        ObjectNode byNumber = index.putObject("id2label");
        labels.forEach(byNumber::put);
    }

    /**
     * Writes what a single file is as a folder. The tensors are read one by one.
     *
     * @param into an empty folder
     * @param weights the tensors of parts that the layout's index names, under the names of hubs
     * @throws IOException if it can't be read or written
     */
    public static void write(Path into, HubLayout layout, Map<String, WeightSource> weights)
            throws IOException {
        ObjectNode index = ConfigReader.object(into.resolve(Checkpoint.INDEX), layout.index());
        for (var part : weights.entrySet()) {
            String library = index.path(part.getKey()).path(0).asText();
            String stem =
                    library.equals(Library.TRANSFORMERS.toString())
                            ? Library.TRANSFORMERS.stem()
                            : Library.DIFFUSERS.stem();
            Path folder = Files.createDirectories(into.resolve(part.getKey()));
            SafetensorsWriter.write(folder.resolve(stem + ".safetensors"), part.getValue(), FORMAT);
        }
        for (var file : layout.files().entrySet()) {
            Path path = into.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.writeString(path, file.getValue());
        }
        if (!index.has("_diffusers_version")) {
            ConfigWriter.write(
                    into.resolve(Checkpoint.INDEX), index.put("_diffusers_version", VERSION));
        }
    }

    /** Makes the folder a checkpoint. */
    public void finish() throws IOException {
        ConfigWriter.write(folder.resolve(Checkpoint.INDEX), index);
    }
}
