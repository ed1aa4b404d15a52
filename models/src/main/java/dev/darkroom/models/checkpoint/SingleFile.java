package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;

import dev.darkroom.common.OneLine;
import dev.darkroom.models.checkpoint.Checkpoint.Hash;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.WeightFiles;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A single {@code .safetensors} file that holds the weights of one or several networks, under names
 * that its family knows. It has no configs.
 */
public final class SingleFile implements AutoCloseable {
    /**
     * The metadata of files that Darkroom writes in which what a folder says and a single file
     * can't is kept: a JSON object of texts by their paths.
     */
    public static final String FILES = "darkroom.files";

    /** What files are by the name of some tensor; the first that fits. */
    private static final Map<Pattern, String> KINDS = kinds();

    private static final Pattern CONFIG = Pattern.compile("([^/]+/)?[\\w-]+[.](json|txt)");

    private static final int MOST_GROUPS = 4;
    private static final int LONGEST_NAME = 80;

    private final SafetensorsHeader header;
    private Checkpoint networks;
    private LoadListener listener = LoadListener.NONE;

    private SingleFile(SafetensorsHeader header, Checkpoint networks) {
        this.header = header;
        this.networks = networks;
    }

    /**
     * Opens a file and reads its header.
     *
     * @throws CheckpointException if the options name a variant, which a single file does not have
     * @throws IOException if it can't be read, or is no safetensors file
     */
    public static SingleFile open(Path file, LoadOptions options) throws IOException {
        if (options.variant() != null) {
            throw new CheckpointException(
                    file
                            + " is a single file, which has no variant "
                            + options.variant()
                            + "; leave the variant out");
        }
        var header = SafetensorsHeader.read(file);
        var warnings = options.strict() ? Warnings.strict() : Warnings.collected();
        return new SingleFile(header, Checkpoint.ofFile(file, options, warnings));
    }

    /**
     * Returns the files of a folder that its metadata holds, as {@link #files(SafetensorsHeader)}
     * does.
     *
     * @throws IOException if they are malformed
     */
    public Map<String, String> files() throws IOException {
        return files(header);
    }

    /**
     * Returns the files of a folder that a file's metadata {@value #FILES} holds, by their paths;
     * none without it.
     *
     * @throws IOException if it is malformed, or names what is no config in a checkpoint's folder
     */
    public static Map<String, String> files(SafetensorsHeader header) throws IOException {
        String others = header.metadata().get(FILES);
        if (others == null) {
            return Map.of();
        }
        Path named = header.file().resolve(FILES);
        var json = JsonNodeFactory.instance.objectNode();
        json.set(FILES, ConfigReader.object(named, others));
        return ConfigReader.read(
                named,
                json,
                Warnings.strict(),
                reader -> {
                    Map<String, String> texts = reader.textsByName(FILES);
                    texts.keySet().forEach(SingleFile::requireConfig);
                    return texts;
                });
    }

    private static void requireConfig(String path) {
        if (!CONFIG.matcher(path).matches()
                || !Stream.of(path.split("/")).allMatch(WeightFiles::isBareName)) {
            throw new IllegalArgumentException(
                    OneLine.of(path) + " can't be a config in the folder of a checkpoint");
        }
    }

    /**
     * Returns the file as the checkpoint that it would be as a folder; its networks are the file's
     * from now on. {@link #files} take the place of the layout's.
     *
     * @throws IOException if the layout's index, or a file of the metadata, is malformed
     */
    public Checkpoint checkpoint(HubLayout layout) throws IOException {
        networks = Checkpoint.ofFile(path(), options(), warnings(), layout.with(files()));
        listen(listener);
        return networks;
    }

    /**
     * Names the tensors in one warning that no network of a layout has a use for.
     *
     * @throws CheckpointException if there are some and extras are errors, or one is {@linkplain
     *     HubLayout#essential essential}
     */
    public void requireNoOthers(HubLayout layout) throws CheckpointException {
        List<String> others =
                header.names().stream()
                        .filter(name -> !networks.knows(name))
                        .filter(name -> !layout.isLeftover(name))
                        .toList();
        var essential = others.stream().filter(layout::isEssential).toList();
        if (!essential.isEmpty()) {
            throw new CheckpointException(
                    path()
                            + " is no "
                            + layout.kind()
                            + ", as its other tensors say, since that has no use for "
                            + counted(essential)
                            + "; use the folder of its checkpoint");
        }
        if (others.isEmpty()) {
            return;
        }
        String message = path() + ": no network has a use for " + counted(others);
        if (warnings().isStrict()) {
            throw new CheckpointException(message);
        }
        warnings().add(message);
    }

    private static String counted(List<String> tensors) {
        return (tensors.size() == 1 ? "the tensor " : tensors.size() + " tensors, such as ")
                + printable(tensors.getFirst());
    }

    /** The file. */
    public Path path() {
        return header.file();
    }

    private static Map<Pattern, String> kinds() {
        Map<Pattern, String> kinds = new LinkedHashMap<>();
        kinds.put(
                Pattern.compile("^lora_|[.]lora_(up|down|A|B)[.]|[.]lora[.]"),
                "a LoRA, which goes on top of a checkpoint");
        kinds.put(
                Pattern.compile("^control_model[.]|^controlnet_cond_embedding[.]"),
                "a ControlNet, which goes beside a checkpoint");
        kinds.put(
                Pattern.compile("^(model[.]diffusion_model[.])?input_blocks[.]"),
                "the U-Net alone, without the text encoder (cond_stage_model.* or conditioner.*)");
        kinds.put(Pattern.compile("[.]joint_blocks[.]"), "a transformer of Stable Diffusion 3");
        kinds.put(Pattern.compile("(^|[.])double_blocks[.]"), "a transformer of FLUX");
        kinds.put(
                Pattern.compile("^(down_blocks|up_blocks|transformer_blocks)[.]"),
                "a network of a checkpoint folder");
        kinds.put(
                Pattern.compile("^(first_stage_model[.])?(encoder|decoder)[.](down|up|mid)[._]"),
                "an autoencoder alone");
        kinds.put(Pattern.compile("^text_model[.]"), "a text encoder alone");
        kinds.put(
                Pattern.compile("^(emb_params|clip_[lg]|string_to_param.*)$"),
                "a textual-inversion embedding");
        return kinds;
    }

    private String name() {
        return String.valueOf(path().getFileName());
    }

    /** The file's header, by which its family knows it. */
    public SafetensorsHeader header() {
        return header;
    }

    /** How it is loaded. */
    public LoadOptions options() {
        return networks.options();
    }

    /** What loading met that may matter. */
    public Warnings warnings() {
        return networks.warnings();
    }

    /** Tells a listener of the networks that are loaded from now on. */
    public void listen(LoadListener listener) {
        Objects.requireNonNull(listener, "listener; LoadListener.NONE listens to nothing");
        this.listener = listener;
        networks.listen(new LoadProgress(listener, Map.of(name(), header.tensorBytes())));
    }

    /**
     * Makes a network, whose weights are compared with it; it stays the file's. The weights are
     * loaded at once or later, as the options say.
     *
     * @param dtype of its parameters
     * @param naming gives the file's tensors the names that the network declares, and leaves out
     *     those of other networks
     * @throws IOException if a tensor is missing or has another shape
     */
    public <M extends Module> M network(
            DType dtype, UnaryOperator<WeightSource> naming, Function<Weights, M> network)
            throws IOException {
        return networks.network(path(), path(), dtype, naming, network);
    }

    /** Loads the networks as {@link Checkpoint#fit} does. */
    public void fit(Module denoiser, long activations, long decoding) throws IOException {
        networks.fit(denoiser, activations, decoding);
    }

    /** Says that a network is not going to be used: it is neither loaded nor counted. */
    public void leaveOut(Module network) {
        networks.leaveOut(network);
    }

    /** Frees the networks that take turns, until they are used again. */
    public void release() {
        networks.release();
    }

    /** Says that no family loads the file, what is in it, and what to name instead. */
    public CheckpointException unknown() {
        return new CheckpointException(
                path()
                        + " is "
                        + kind()
                        + " that no family loads"
                        + contents()
                        + "; name "
                        + instead());
    }

    private String kind() {
        return known(header).map(kind -> kind + ": ").orElse("") + "a single file of weights";
    }

    /** Returns what a file is that no family loads, such as a LoRA; empty if it is not known. */
    public static Optional<String> known(SafetensorsHeader header) {
        return KINDS.entrySet().stream()
                .filter(
                        kind ->
                                header.names().stream()
                                        .anyMatch(name -> kind.getKey().matcher(name).find()))
                .map(Map.Entry::getValue)
                .findFirst();
    }

    private String contents() {
        var names = header.names();
        if (names.isEmpty()) {
            return ": it holds no tensors";
        }
        var groups = new LinkedHashMap<String, Integer>();
        for (String name : names) {
            groups.merge(name.replaceFirst("[.].*", ""), 1, Integer::sum);
        }
        String counted =
                groups.entrySet().stream()
                        .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
                        .limit(MOST_GROUPS)
                        .map(group -> group.getValue() + " begin with " + printable(group.getKey()))
                        .collect(Collectors.joining(", "));
        return ": of its "
                + names.size()
                + " tensors "
                + counted
                + ", such as "
                + printable(names.getFirst());
    }

    private static String printable(String name) {
        return OneLine.of(
                name.length() <= LONGEST_NAME ? name : name.substring(0, LONGEST_NAME) + "…");
    }

    private String instead() {
        Path part = path().toAbsolutePath().normalize().getParent();
        Path checkpoint = part == null ? null : part.getParent();
        for (Path folder : Arrays.asList(part, checkpoint)) {
            if (folder != null && Files.isRegularFile(folder.resolve(Checkpoint.INDEX))) {
                return "the folder of the checkpoint that it belongs to, " + folder;
            }
        }
        return "a folder that holds " + Checkpoint.INDEX + ", or a model of a hub as ORG/NAME";
    }

    /** Names and values for display and for a picture's metadata. */
    public Map<String, Object> describe() {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("model", name());
        return description;
    }

    /** The SHA-256 of the file, by its name. */
    public Map<String, String> hashWeights(Hash hash) throws IOException {
        return networks.hashWeights(hash);
    }

    /** Frees the networks that were loaded. */
    @Override
    public void close() {
        networks.close();
    }
}
