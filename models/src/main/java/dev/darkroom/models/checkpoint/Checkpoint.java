package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.OneLine;
import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Deferred;
import dev.darkroom.runtime.nn.LinearFormat;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsException;
import dev.darkroom.runtime.safetensors.UnfinishedDownload;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A checkpoint folder in the layout of public hubs: {@code model_index.json} names the parts and
 * their classes, each part is a folder with a config and weights.
 */
public final class Checkpoint implements AutoCloseable {
    /** The file that makes a folder a checkpoint. */
    public static final String INDEX = "model_index.json";

    /**
     * The settings of pipelines that are true or false; some matter to a family, others to none.
     */
    private static final List<String> FLAGS =
            List.of(
                    "force_zeros_for_empty_prompt",
                    "requires_aesthetics_score",
                    "requires_safety_checker",
                    "add_watermarker");

    /** The settings of pipelines that are whole numbers. */
    private static final List<String> NUMBERS = List.of("max_noise_level");

    private final Path folder;
    private final LoadOptions options;
    private final String className;
    private final Map<String, String> parts;
    private final Map<String, String> labels;
    private final Map<String, Boolean> flags;
    private final Map<String, Integer> numbers;
    private final @Nullable HubLayout layout;
    private final Warnings warnings;
    private final Set<String> used = new HashSet<>();
    private final Set<String> leftOut = new HashSet<>();
    private final Set<Path> weightFiles = new LinkedHashSet<>();
    private final Map<Deferred<?>, Path> networks = new LinkedHashMap<>();

    /** What networks use of a single file. */
    private final Set<String> originals = new HashSet<>();

    private LoadProgress progress = new LoadProgress(LoadListener.NONE, Map.of());

    /** Whether networks are loaded when they are used, and freed in between. */
    private volatile boolean takesTurns;

    private Checkpoint(
            Path folder,
            LoadOptions options,
            Warnings warnings,
            String className,
            Map<String, String> parts,
            Map<String, String> labels,
            Map<String, Boolean> flags,
            Map<String, Integer> numbers,
            @Nullable HubLayout layout) {
        this.folder = folder;
        this.options = options;
        this.warnings = warnings;
        this.className = className;
        this.parts = parts;
        this.labels = labels;
        this.flags = flags;
        this.numbers = numbers;
        this.layout = layout;
    }

    /**
     * Opens a checkpoint and reads its {@code model_index.json}.
     *
     * @throws CheckpointException if the folder holds no checkpoint, or no part has the variant
     * @throws IOException if the file can't be read
     */
    public static Checkpoint open(Path folder, LoadOptions options) throws IOException {
        return open(folder, options, options.strict() ? Warnings.strict() : Warnings.collected());
    }

    /**
     * Opens a checkpoint as {@link #open(Path, LoadOptions)} does.
     *
     * @param warnings are told of what loading meets
     */
    public static Checkpoint open(Path folder, LoadOptions options, Warnings warnings)
            throws IOException {
        Path file = folder.resolve(INDEX);
        requireFinished(file);
        if (!Files.isDirectory(folder)) {
            throw new CheckpointException(
                    "no model folder " + folder + "; name a folder that holds " + INDEX);
        }
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(
                    folder
                            + " holds no "
                            + INDEX
                            + "; name the folder of a whole checkpoint, not of one of its parts or"
                            + " a single weights file");
        }
        var checkpoint = of(folder, options, warnings, file, ConfigReader.object(file), null);
        checkpoint.requireVariant();
        return checkpoint;
    }

    /** Opens a single file as the checkpoint that it would be as a folder. */
    static Checkpoint ofFile(Path file, LoadOptions options, Warnings warnings, HubLayout layout)
            throws IOException {
        Path index = file.resolve(INDEX);
        var json = ConfigReader.object(index, layout.index());
        return of(file, options, warnings, index, json, layout);
    }

    private static Checkpoint of(
            Path folder,
            LoadOptions options,
            Warnings warnings,
            Path file,
            ObjectNode index,
            @Nullable HubLayout layout)
            throws IOException {
        return ConfigReader.read(
                file,
                index,
                warnings,
                json -> {
                    // [library, class]; [null, null] is a part that is left out
                    Map<String, String> parts = new LinkedHashMap<>();
                    json.pairs()
                            .forEach(
                                    (name, part) ->
                                            parts.put(partName(name), OneLine.of(part.get(1))));
                    return new Checkpoint(
                            folder,
                            options,
                            warnings,
                            OneLine.of(json.text("_class_name", "")),
                            parts,
                            json.textsByName("id2label"),
                            settings(FLAGS, json::flagOrNull),
                            settings(NUMBERS, json::integerOrNull),
                            layout);
                });
    }

    /** What loads the networks of a single file, which names no parts. */
    static Checkpoint ofFile(Path file, LoadOptions options, Warnings warnings) {
        Path folder = file.getParent();
        return new Checkpoint(
                folder == null ? Path.of("") : folder,
                options,
                warnings,
                "",
                Map.of(),
                Map.of(),
                Map.of(),
                Map.of(),
                null);
    }

    private static <T> Map<String, T> settings(
            List<String> names, Function<String, @Nullable T> reader) {
        Map<String, T> settings = new HashMap<>();
        for (String name : names) {
            T value = reader.apply(name);
            if (value != null) {
                settings.put(name, value);
            }
        }
        return settings;
    }

    /** A part is a folder in that of the checkpoint, and not elsewhere. */
    private static String partName(String name) {
        if (!WeightFiles.isBareName(name)) {
            throw new IllegalArgumentException("\"" + name + "\" can't be the name of a part");
        }
        return name;
    }

    private static void requireFinished(Path file) throws CheckpointException {
        var problem = UnfinishedDownload.of(file);
        if (problem.isPresent()) {
            throw new CheckpointException(problem.get());
        }
    }

    /**
     * The folder of a part. In the oldest checkpoints, of one network and a scheduler, the files of
     * both lie beside {@code model_index.json}, where diffusers looks for a part without a folder.
     */
    private Path folderOf(String part) {
        Path own = folder.resolve(part);
        boolean isBeside =
                !Files.exists(own) && Files.isRegularFile(folder.resolve(Architecture.FILE));
        return isBeside ? folder : own;
    }

    /** Refuses a variant that no part has. */
    private void requireVariant() throws IOException {
        if (options.variant() == null) {
            return;
        }
        var there = new TreeSet<String>();
        for (String part : parts.keySet()) {
            there.addAll(WeightFiles.variants(folderOf(part), WeightFiles.DIFFUSERS));
            there.addAll(WeightFiles.variants(folderOf(part), WeightFiles.TRANSFORMERS));
        }
        if (!there.contains(options.variant())) {
            throw new CheckpointException(
                    folder
                            + ": no part has the variant "
                            + options.variant()
                            + (there.isEmpty()
                                    ? "; there are only plain weights"
                                    : "; there is " + String.join(", ", there)));
        }
    }

    /** What loading met that may matter. */
    public Warnings warnings() {
        return warnings;
    }

    /**
     * Says which parts have not been asked for, but for {@link CheckpointFiles#UNUSED_PARTS}, whose
     * folders need not be there.
     *
     * @throws CheckpointException if there are some and extras are errors
     */
    public void requireNoOthers() throws CheckpointException {
        var others = new ArrayList<String>();
        parts.forEach(
                (name, part) -> {
                    if (!used.contains(name) && !CheckpointFiles.UNUSED_PARTS.contains(name)) {
                        others.add(name + " (" + part + ")");
                    }
                });
        if (others.isEmpty()) {
            return;
        }
        String message =
                folder.resolve(INDEX)
                        + ": "
                        + OneLine.of(
                                className
                                        + " has no use for the part "
                                        + String.join(" and the part ", others));
        if (warnings.isStrict()) {
            throw new CheckpointException(message);
        }
        warnings.add(message);
    }

    public Path folder() {
        return folder;
    }

    public LoadOptions options() {
        return options;
    }

    /** The class of the pipeline, such as {@code PixArtAlphaPipeline}. */
    public String className() {
        return className;
    }

    /** The labels of classes by their numbers, for a class-conditional model. */
    public Map<String, String> labels() {
        return labels;
    }

    /**
     * A setting of the pipeline that is true or false, such as whether an empty prompt is zeros.
     */
    public boolean flag(String name, boolean missing) {
        return flags.getOrDefault(name, missing);
    }

    /** A setting of the pipeline that is a whole number, such as {@code max_noise_level}. */
    public int number(String name, int missing) {
        return numbers.getOrDefault(name, missing);
    }

    /** Says that parts are known, though nothing here has a use for them. */
    public void leaveOut(String... names) {
        used.addAll(List.of(names));
        leftOut.addAll(List.of(names));
    }

    /** Says that a network is not going to be used: it is neither loaded nor counted. */
    public void leaveOut(Module network) {
        Objects.requireNonNull(network, "network");
        if (!options.loadAtOnce()) {
            networks.keySet().removeIf(each -> each.network().equals(network));
        }
    }

    /**
     * The class of a part that must be there.
     *
     * @param supported classes; none given for any
     * @throws CheckpointException if it is not, or is of another class
     */
    public String requirePart(String name, String... supported) throws CheckpointException {
        String part = parts.get(name);
        used.add(name);
        if (part == null) {
            throw new CheckpointException(
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
            throw new CheckpointException(
                    folder
                            + ": "
                            + name
                            + " is of class "
                            + part
                            + "; supported is "
                            + String.join(" or ", supported));
        }
        if (layout != null) {
            return part;
        }
        requireFinished(folder.resolve(name));
        if (!Files.isDirectory(folderOf(name))) {
            throw new CheckpointException(
                    folder + ": the folder " + name + " is missing; download the whole checkpoint");
        }
        return part;
    }

    /**
     * The class of a part that may be left out.
     *
     * @param supported classes; none given for any
     * @return empty if {@code model_index.json} does not name the part, or says {@code [null,
     *     null]}
     * @throws CheckpointException if it names the part, but its folder is missing or it is of
     *     another class
     */
    public Optional<String> optionalPart(String name, String... supported)
            throws CheckpointException {
        return parts.containsKey(name)
                ? Optional.of(requirePart(name, supported))
                : Optional.empty();
    }

    /**
     * The config of a part that must be there.
     *
     * @param name of its file
     * @throws IOException if it is missing or no JSON object
     */
    public ObjectNode config(String part, String name) throws IOException {
        Path path = file(part, name);
        return layout == null
                ? ConfigReader.object(path)
                : ConfigReader.object(path, text(layout, part, name));
    }

    private static String text(HubLayout layout, String part, String name) {
        return Objects.requireNonNull(layout.files().get(part + "/" + name));
    }

    /**
     * Reads the tokenizer of a part.
     *
     * @param className as {@code model_index.json} has it
     * @throws IOException if a file is missing or malformed
     */
    public Tokenizer tokenizer(String part, String className) throws IOException {
        Objects.requireNonNull(className, "className");
        return layout == null
                ? Tokenizers.load(folder.resolve(part), className)
                : layout.tokenizer(part, className);
    }

    /** Whether a part has a file, in a folder or as a single file stands for it. */
    public boolean has(String part, String name) {
        return isOfLayout(part, name) || Files.isRegularFile(folderOf(part).resolve(name));
    }

    private boolean isOfLayout(String part, String name) {
        return layout != null && layout.files().containsKey(part + "/" + name);
    }

    /** A file of a part that must be there; of a single file, what to call it in messages. */
    public Path file(String part, String name) throws CheckpointException {
        Path path = folderOf(part).resolve(name);
        if (isOfLayout(part, name)) {
            return path;
        }
        requireFinished(path);
        if (!Files.isRegularFile(path)) {
            throw new CheckpointException(path + " is missing; download the whole checkpoint");
        }
        return path;
    }

    /**
     * Makes the network of a part, whose weights are compared with it. They are loaded at once or
     * later, as the options say.
     */
    public <M extends Module> M network(String part, String stem, Function<Weights, M> network)
            throws IOException {
        return network(part, stem, options.dtype(), UnaryOperator.identity(), network);
    }

    /**
     * Makes the network of a part, whose weights are compared with it. They are loaded at once or
     * later, as the options say.
     *
     * @param dtype of its parameters
     * @param naming brings old names up to date
     */
    public <M extends Module> M network(
            String part,
            String stem,
            DType dtype,
            UnaryOperator<WeightSource> naming,
            Function<Weights, M> network)
            throws IOException {
        Path folderOfPart = folder.resolve(part);
        if (layout != null) {
            KeyMap names = Objects.requireNonNull(layout.weights().get(part), part);
            Set<String> declared = Weights.declared(network).keySet();
            for (String name : declared) {
                originals.add(names.original(name).key());
            }
            return network(
                    folder,
                    folderOfPart,
                    dtype,
                    source -> naming.apply(names.atHubs(source, declared)),
                    network);
        }
        WeightFiles files = WeightFiles.find(folderOf(part), stem, options.variant());
        if (options.variant() != null && !files.isVariant()) {
            warnings.add(
                    folderOfPart
                            + " does not have the variant "
                            + options.variant()
                            + ", so its plain weights were loaded");
        }
        return network(files.path(), folderOfPart, dtype, naming, network);
    }

    /**
     * Makes the network of a part of weights that lie elsewhere.
     *
     * @param elsewhere the folder of the weights
     */
    public <M extends Module> M network(
            Path elsewhere,
            String part,
            String stem,
            DType dtype,
            UnaryOperator<WeightSource> naming,
            Function<Weights, M> network)
            throws IOException {
        Path weights = WeightFiles.find(elsewhere, stem, options.variant()).path();
        return network(weights, folder.resolve(part), dtype, naming, network);
    }

    /**
     * Makes the network of a part of a single file, which lies elsewhere.
     *
     * @param naming finds its tensors by their names at hubs
     */
    public <M extends Module> M network(
            Path file,
            String part,
            DType dtype,
            UnaryOperator<WeightSource> naming,
            Function<Weights, M> network)
            throws IOException {
        return network(file, folder.resolve(part), dtype, naming, network);
    }

    /**
     * Makes a network of some weights.
     *
     * @param what is loaded, for messages and listeners
     */
    <M extends Module> M network(
            Path weights,
            Path what,
            DType dtype,
            UnaryOperator<WeightSource> naming,
            Function<Weights, M> network)
            throws IOException {
        LoadMode mode = mode();
        Deferred<M> deferred =
                Deferred.of(
                        reader -> {
                            try (var opened = Safetensors.open(weights, mode)) {
                                opened.headers().forEach(header -> weightFiles.add(header.file()));
                                reader.take(naming.apply(opened.weights()));
                            }
                        },
                        options.mapped(),
                        dtype,
                        options.device(),
                        warnings,
                        network);
        networks.put(deferred, what);
        if (options.loadAtOnce()) {
            deferred.format(options.weights().choices().getFirst());
            keep(deferred, what);
        }
        return deferred.network();
    }

    /**
     * Loads the networks, or lets them take turns in memory, as the options say and as they fit.
     * Without this they are loaded when they are used, and stay.
     *
     * @param denoiser the network that the activations belong to
     * @param activations bytes that the denoiser takes beside its weights
     * @param decoding bytes that decoding takes beside all weights
     * @throws IOException if weights can't be read
     * @throws dev.darkroom.runtime.InsufficientMemoryException if a network does not fit, even
     *     alone
     */
    public void fit(Module denoiser, long activations, long decoding) throws IOException {
        if (options.loadAtOnce()) {
            return;
        }
        var budget = MemoryBudget.current();
        takesTurns =
                new Fit(networks, options, budget)
                        .choose(denoiser, activations, decoding, warnings);
        for (var each : networks.entrySet()) {
            if (takesTurns) {
                Fit.require(each.getKey(), each.getValue(), budget); // each alone
            } else {
                keep(each.getKey(), each.getValue());
            }
        }
    }

    private void keep(Deferred<?> network, Path what) throws IOException {
        String part = String.valueOf(what.getFileName());
        progress.begin(part);
        if (mode() != LoadMode.HEADERS) {
            Fit.require(network, what, MemoryBudget.current());
        }
        network.keep();
        progress.end(part);
    }

    /**
     * Tells a listener of the networks that are loaded from now on, which ends with a {@link
     * java.util.concurrent.CancellationException} where it asks for that. Of networks that take
     * turns it is not told.
     */
    public void listen(LoadListener listener) {
        Objects.requireNonNull(listener, "listener; LoadListener.NONE listens to nothing");
        Map<String, Long> bytes = new HashMap<>();
        for (String part : listener.equals(LoadListener.NONE) ? Set.<String>of() : parts.keySet()) {
            if (!CheckpointFiles.UNUSED_PARTS.contains(part)) {
                bytes.put(part, bytes(part));
            }
        }
        progress = new LoadProgress(listener, bytes);
    }

    void listen(LoadProgress progress) {
        this.progress = progress;
    }

    /** Bytes of a part's weights; 0 where it has none, or where loading will say what is wrong. */
    private long bytes(String part) {
        try (var weights = Safetensors.open(weights(part), LoadMode.HEADERS)) {
            return weights.tensorBytes();
        } catch (IOException e) {
            return 0;
        }
    }

    /**
     * Finds the weights of a part, of either library.
     *
     * @throws IOException if there are none
     */
    public Path weights(String part) throws IOException {
        Path folderOfPart = folderOf(part);
        try {
            return WeightFiles.find(folderOfPart, WeightFiles.DIFFUSERS, options.variant()).path();
        } catch (SafetensorsException e) {
            return WeightFiles.find(folderOfPart, WeightFiles.TRANSFORMERS, options.variant())
                    .path();
        }
    }

    /** Without elements, headers are enough. */
    private LoadMode mode() {
        if (options.device().type() == Device.Type.META) {
            return LoadMode.HEADERS;
        }
        return options.mapped() ? LoadMode.MAPPED : LoadMode.READ;
    }

    /** The networks that were made, by the names of their parts, in that order. */
    public Map<String, Module> networks() {
        Map<String, Module> byPart = new LinkedHashMap<>();
        networks.forEach(
                (network, part) ->
                        byPart.put(String.valueOf(part.getFileName()), network.network()));
        return Collections.unmodifiableMap(byPart);
    }

    /** The classes of the parts that {@code model_index.json} names, by the parts' names. */
    public Map<String, String> parts() {
        return Collections.unmodifiableMap(parts);
    }

    /** Whether a network uses a tensor of a single file, or it is of a part that was left out. */
    boolean knows(String original) {
        return originals.contains(original)
                || layout != null
                        && leftOut.stream()
                                .map(layout.weights()::get)
                                .anyMatch(names -> names != null && names.isOf(original));
    }

    /** Frees the networks that take turns, until they are used again. */
    public void release() {
        if (takesTurns) {
            networks.keySet().forEach(Deferred::unload);
        }
    }

    /** Frees the networks for good. */
    @Override
    public void close() {
        networks.keySet().forEach(each -> each.network().close());
    }

    /** Names and values for display and for a picture's metadata. */
    public Map<String, Object> describe() {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("model", String.valueOf(folder.toAbsolutePath().normalize().getFileName()));
        description.put("pipeline", className);
        description.put("parts", parts);
        List<String> rounded =
                networks.entrySet().stream()
                        .filter(each -> each.getKey().format() == LinearFormat.INT8)
                        .map(each -> String.valueOf(each.getValue().getFileName()))
                        .toList();
        if (!rounded.isEmpty()) {
            description.put("int8", rounded);
        }
        return description;
    }

    /** Gives the SHA-256 of a file. */
    public interface Hash {
        String of(Path file) throws IOException;
    }

    /** The SHA-256 of each weights file, by its path below the folder. */
    public Map<String, String> hashWeights(Hash hash) throws IOException {
        Map<String, String> hashes = new LinkedHashMap<>();
        for (Path file : weightFiles) {
            boolean isBelow = layout == null && file.startsWith(folder);
            Path name = isBelow ? folder.relativize(file) : file.getFileName();
            if (hashes.containsKey(name.toString())) {
                name = Path.of(String.valueOf(file.resolveSibling("").getFileName())).resolve(name);
            }
            try {
                hashes.put(name.toString().replace('\\', '/'), hash.of(file));
            } catch (IOException e) {
                throw new IOException(file + " can't be read: " + e.getMessage(), e);
            }
        }
        return Collections.unmodifiableMap(hashes);
    }
}
