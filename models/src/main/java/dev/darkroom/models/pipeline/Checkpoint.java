package dev.darkroom.models.pipeline;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.WeightSource;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.StoredTensor;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A checkpoint folder in the layout of public hubs: {@code model_index.json} names the parts and
 * their classes, each part is a folder with a config and weights.
 */
final class Checkpoint {
    /** Kept free beside the weights: the JVM, libtorch and the first activations. */
    private static final long HEADROOM = 256L << 20;

    private final Path folder;
    private final PipelineOptions options;
    private final String className;
    private final Map<String, String> parts;
    private final Map<String, String> labels;
    private final Set<Path> weightFiles = new LinkedHashSet<>();
    private final List<Module> networks = new ArrayList<>();
    private @Nullable Map<String, String> hashes;

    private Checkpoint(
            Path folder,
            PipelineOptions options,
            String className,
            Map<String, String> parts,
            Map<String, String> labels) {
        this.folder = folder;
        this.options = options;
        this.className = className;
        this.parts = parts;
        this.labels = labels;
    }

    static Checkpoint open(Path folder, PipelineOptions options) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new PipelineException(
                    "no model folder " + folder + "; name a folder that holds model_index.json");
        }
        Path file = folder.resolve("model_index.json");
        if (!Files.isRegularFile(file)) {
            throw new PipelineException(
                    folder
                            + " holds no model_index.json; name the folder of a whole checkpoint,"
                            + " not of one of its parts or a single weights file");
        }
        return ConfigReader.read(
                file,
                json -> {
                    Map<String, String> parts = new LinkedHashMap<>();
                    for (String key : json.keys()) {
                        if (json.isList(key)) {
                            // [library, class], or [null, null] for a part that is left out
                            List<@Nullable String> part = json.textsOrNulls(key);
                            String className = part.size() == 2 ? part.get(1) : null;
                            if (className != null) {
                                parts.put(key, className);
                            }
                        } else {
                            json.ignore(key);
                        }
                    }
                    return new Checkpoint(
                            folder,
                            options,
                            json.text("_class_name", ""),
                            parts,
                            json.textsByName("id2label"));
                });
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
        if (part == null) {
            throw new PipelineException(
                    folder
                            + ": model_index.json names no "
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
        if (!Files.isDirectory(folder.resolve(name))) {
            throw new PipelineException(
                    folder + ": the folder " + name + " is missing; download the whole checkpoint");
        }
        return part;
    }

    /** A file of a part that must be there. */
    Path file(String part, String name) {
        Path path = folder.resolve(part).resolve(name);
        if (!Files.isRegularFile(path)) {
            throw new PipelineException(path + " is missing; download the whole checkpoint");
        }
        return path;
    }

    /** Makes a network from its weights. */
    interface NetworkLoader<M extends Module> {
        M load(WeightSource source, DType dtype, Device device) throws IOException;
    }

    /** Loads a network, after a look at the memory. */
    <M extends Module> M network(String part, String stem, NetworkLoader<M> loader)
            throws IOException {
        WeightFiles files = WeightFiles.find(folder.resolve(part), stem, null);
        LoadMode mode = options.mapped() ? LoadMode.MAPPED : LoadMode.READ;
        try (var safetensors = Safetensors.open(files.path(), mode)) {
            safetensors.headers().forEach(header -> weightFiles.add(header.file()));
            MemoryBudget.current()
                    .require(
                            bytesToAllocate(safetensors) + HEADROOM,
                            "loading " + folder.resolve(part));
            M network = loader.load(safetensors.weights(), options.dtype(), options.device());
            networks.add(network);
            return network;
        }
    }

    /** Frees the networks that were loaded. */
    void close() {
        networks.forEach(Module::close);
    }

    /** The autoencoder, if its latents are the network's. */
    AutoencoderKl autoencoder(int inChannels, int outChannels) throws IOException {
        var config = AutoencoderKlConfig.read(file("vae", "config.json"));
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
                (source, dtype, device) -> AutoencoderKl.load(source, config, dtype, device));
    }

    /** Bytes of memory that the weights take beyond their mapped files. */
    private long bytesToAllocate(Safetensors safetensors) throws IOException {
        long bytes = 0;
        for (String name : safetensors.names()) {
            StoredTensor tensor = safetensors.info(name);
            boolean inPlace =
                    options.mapped()
                            && tensor.dtype().tensorType().equals(Optional.of(options.dtype()))
                            && options.device().type() == Device.Type.CPU;
            if (!inPlace) {
                bytes += tensor.shape().elements() * options.dtype().bytes();
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

    /** The SHA-256 of each weights file, by its path below the folder. */
    synchronized Map<String, String> hashWeights() {
        if (hashes == null) {
            Map<String, String> computed = new LinkedHashMap<>();
            for (Path file : weightFiles) {
                String name = folder.relativize(file).toString().replace('\\', '/');
                computed.put(name, sha256(file));
            }
            hashes = Collections.unmodifiableMap(computed);
        }
        return hashes;
    }

    private static String sha256(Path file) {
        try (var in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            var buffer = new byte[1 << 20];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw new PipelineException(file + " can't be read: " + e.getMessage(), e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
