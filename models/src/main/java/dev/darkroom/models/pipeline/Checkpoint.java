package dev.darkroom.models.pipeline;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.WeightSource;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.StoredTensor;
import dev.darkroom.runtime.safetensors.UnfinishedDownload;
import dev.darkroom.runtime.safetensors.WeightFiles;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A checkpoint folder in the layout of public hubs: {@code model_index.json} names the parts and
 * their classes, each part is a folder with a config and weights.
 */
final class Checkpoint {
    /** Kept free beside the weights: the JVM, libtorch and the first activations. */
    private static final long HEADROOM = 256L << 20;

    private static final String INDEX = "model_index.json";

    private final Path folder;
    private final PipelineOptions options;
    private final String className;
    private final Map<String, String> parts;
    private final Map<String, String> labels;
    private final Warnings warnings;
    private final Set<String> used = new HashSet<>();
    private final Set<Path> weightFiles = new LinkedHashSet<>();
    private final List<Module> networks = new ArrayList<>();

    private Checkpoint(
            Path folder,
            PipelineOptions options,
            Warnings warnings,
            String className,
            Map<String, String> parts,
            Map<String, String> labels) {
        this.folder = folder;
        this.options = options;
        this.warnings = warnings;
        this.className = className;
        this.parts = parts;
        this.labels = labels;
    }

    static Checkpoint open(Path folder, PipelineOptions options) throws IOException {
        Path file = folder.resolve(INDEX);
        requireFinished(file);
        if (!Files.isDirectory(folder)) {
            throw new PipelineException(
                    "no model folder " + folder + "; name a folder that holds " + INDEX);
        }
        if (!Files.isRegularFile(file)) {
            throw new PipelineException(
                    folder
                            + " holds no "
                            + INDEX
                            + "; name the folder of a whole checkpoint, not of one of its parts or"
                            + " a single weights file");
        }
        Warnings warnings = options.strict() ? Warnings.strict() : Warnings.collected();
        Checkpoint checkpoint =
                ConfigReader.read(
                        file,
                        warnings,
                        json -> {
                            // [library, class]; [null, null] is a part that is left out
                            Map<String, String> parts = new LinkedHashMap<>();
                            json.pairs().forEach((name, part) -> parts.put(name, part.get(1)));
                            return new Checkpoint(
                                    folder,
                                    options,
                                    warnings,
                                    json.text("_class_name", ""),
                                    parts,
                                    json.textsByName("id2label"));
                        });
        checkpoint.requireVariant();
        return checkpoint;
    }

    private static void requireFinished(Path file) {
        UnfinishedDownload.of(file)
                .ifPresent(
                        problem -> {
                            throw new PipelineException(problem);
                        });
    }

    /** Refuses a variant that no part has. */
    private void requireVariant() throws IOException {
        if (options.variant() == null) {
            return;
        }
        var there = new TreeSet<String>();
        for (String part : parts.keySet()) {
            there.addAll(WeightFiles.variants(folder.resolve(part), WeightFiles.DIFFUSERS));
            there.addAll(WeightFiles.variants(folder.resolve(part), WeightFiles.TRANSFORMERS));
        }
        if (!there.contains(options.variant())) {
            throw new PipelineException(
                    folder
                            + ": no part has the variant "
                            + options.variant()
                            + (there.isEmpty()
                                    ? "; there are only plain weights"
                                    : "; there is " + String.join(", ", there)));
        }
    }

    /** What loading met that may matter. */
    Warnings warnings() {
        return warnings;
    }

    /**
     * Says which parts have not been asked for.
     *
     * @throws PipelineException if there are some and extras are errors
     */
    void requireNoOthers() {
        var others = new ArrayList<String>();
        parts.forEach(
                (name, part) -> {
                    if (!used.contains(name)) {
                        others.add(name + " (" + part + ")");
                    }
                });
        if (others.isEmpty()) {
            return;
        }
        String message =
                folder.resolve(INDEX)
                        + ": "
                        + className
                        + " has no use for the part "
                        + String.join(" and the part ", others);
        if (warnings.isStrict()) {
            throw new PipelineException(message);
        }
        warnings.add(message);
    }

    Path folder() {
        return folder;
    }

    PipelineOptions options() {
        return options;
    }

    /** The class of the pipeline, such as {@code PixArtAlphaPipeline}. */
    String className() {
        return className;
    }

    /** The labels of classes by their numbers, for a class-conditional model. */
    Map<String, String> labels() {
        return labels;
    }

    /**
     * The class of a part that must be there.
     *
     * @param supported classes; none given for any
     * @throws PipelineException if it is not, or is of another class
     */
    String requirePart(String name, String... supported) {
        String part = parts.get(name);
        used.add(name);
        if (part == null) {
            throw new PipelineException(
                    folder
                            + ": "
                            + INDEX
                            + " names no "
                            + name
                            + ", which "
                            + className
                            + " needs");
        }
        if (supported.length > 0 && !List.of(supported).contains(part)) {
            throw new PipelineException(
                    folder
                            + ": "
                            + name
                            + " is of class "
                            + part
                            + "; supported is "
                            + String.join(" or ", supported));
        }
        requireFinished(folder.resolve(name));
        if (!Files.isDirectory(folder.resolve(name))) {
            throw new PipelineException(
                    folder + ": the folder " + name + " is missing; download the whole checkpoint");
        }
        return part;
    }

    /** A file of a part that must be there. */
    Path file(String part, String name) {
        Path path = folder.resolve(part).resolve(name);
        requireFinished(path);
        if (!Files.isRegularFile(path)) {
            throw new PipelineException(path + " is missing; download the whole checkpoint");
        }
        return path;
    }

    /** Loads a network, after a look at the memory. */
    <M extends Module> M network(String part, String stem, Function<Weights, M> network)
            throws IOException {
        return network(part, stem, options.dtype(), UnaryOperator.identity(), network);
    }

    /**
     * Loads a network, after a look at the memory.
     *
     * @param dtype of its parameters
     * @param naming brings old names up to date
     */
    private <M extends Module> M network(
            String part,
            String stem,
            DType dtype,
            UnaryOperator<WeightSource> naming,
            Function<Weights, M> network)
            throws IOException {
        WeightFiles files = WeightFiles.find(folder.resolve(part), stem, options.variant());
        if (options.variant() != null && !files.isVariant()) {
            warnings.add(
                    folder.resolve(part)
                            + " does not have the variant "
                            + options.variant()
                            + ", so its plain weights were loaded");
        }
        LoadMode mode = options.mapped() ? LoadMode.MAPPED : LoadMode.READ;
        try (var safetensors = Safetensors.open(files.path(), mode)) {
            safetensors.headers().forEach(header -> weightFiles.add(header.file()));
            MemoryBudget.current()
                    .require(
                            bytesToAllocate(safetensors, dtype) + HEADROOM,
                            "loading " + folder.resolve(part));
            M loaded =
                    Weights.load(
                            naming.apply(safetensors.weights()),
                            dtype,
                            options.device(),
                            warnings,
                            network);
            networks.add(loaded);
            return loaded;
        }
    }

    /** Frees the networks that were loaded. */
    void close() {
        networks.forEach(Module::close);
    }

    /** The autoencoder, if its latents are the network's. */
    AutoencoderKl autoencoder(int inChannels, int outChannels) throws IOException {
        var config = AutoencoderKlConfig.read(file("vae", "config.json"), warnings);
        boolean predicts = outChannels == inChannels || outChannels == 2 * inChannels;
        if (config.latentChannels() != inChannels || !predicts) {
            throw new PipelineException(
                    folder
                            + ": the autoencoder's latents have "
                            + config.latentChannels()
                            + " channels, the transformer takes "
                            + inChannels
                            + " and gives "
                            + outChannels);
        }
        return network(
                "vae",
                WeightFiles.DIFFUSERS,
                vaeDtype(config),
                AutoencoderKl::currentNames,
                w -> new AutoencoderKl(w, config));
    }

    /** As in diffusers, {@code force_upcast} is about float16 alone; bfloat16 does not overflow. */
    private DType vaeDtype(AutoencoderKlConfig config) {
        if (options.vaeDtype() != null) {
            return options.vaeDtype();
        }
        boolean overflows = options.dtype() == DType.FLOAT16 && config.forceUpcast();
        return overflows ? DType.FLOAT32 : options.dtype();
    }

    /** Bytes of memory that the weights take beyond their mapped files. */
    private long bytesToAllocate(Safetensors safetensors, DType dtype) throws IOException {
        long bytes = 0;
        for (String name : safetensors.names()) {
            StoredTensor tensor = safetensors.info(name);
            boolean inPlace =
                    options.mapped()
                            && tensor.dtype().tensorType().equals(Optional.of(dtype))
                            && options.device().type() == Device.Type.CPU;
            if (!inPlace) {
                bytes += tensor.shape().elements() * dtype.bytes();
            }
        }
        return bytes;
    }

    /** Names and values for display and for a picture's metadata. */
    Map<String, Object> describe() {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("model", String.valueOf(folder.toAbsolutePath().normalize().getFileName()));
        description.put("pipeline", className);
        description.put("parts", parts);
        return description;
    }

    /** Gives the SHA-256 of a file. */
    interface Hash {
        String of(Path file) throws IOException;
    }

    /** The SHA-256 of each weights file, by its path below the folder. */
    Map<String, String> hashWeights(Hash hash) {
        Map<String, String> hashes = new LinkedHashMap<>();
        for (Path file : weightFiles) {
            String name = folder.relativize(file).toString().replace('\\', '/');
            try {
                hashes.put(name, hash.of(file));
            } catch (IOException e) {
                throw new PipelineException(file + " can't be read: " + e.getMessage(), e);
            }
        }
        return Collections.unmodifiableMap(hashes);
    }
}
