package dev.darkroom.models.pipeline;

import dev.darkroom.hub.HubOptions;
import dev.darkroom.models.checkpoint.LoadListener;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * How a checkpoint is loaded and run: {@link #defaults}, changed by the {@code with} methods. More
 * options may come, so make them that way and not by the constructor.
 *
 * <pre>{@code
 * var options = PipelineOptions.defaults().withDtype(DType.BFLOAT16).withThreads(4);
 * }</pre>
 *
 * @param dtype type that the networks compute in: {@link DType#FLOAT32}, {@link DType#BFLOAT16},
 *     {@link DType#FLOAT16}, or {@link DType#FLOAT64} to see how much of a difference is rounding
 * @param vaeDtype type that the autoencoder computes in; null for {@code dtype}, or float32 instead
 *     of float16 where the autoencoder's config says that float16 overflows ({@code force_upcast})
 * @param device where they compute
 * @param threads native threads that an operator may use; 0 for libtorch's choice
 * @param mapped whether weights are mapped from their files, or read; a mapped file must not be cut
 *     short while the pipeline is open
 * @param variant which weights are loaded where a part has several, such as {@code fp16} for {@code
 *     model.fp16.safetensors}; a part without it is loaded from its plain weights, with a warning.
 *     null for the plain weights
 * @param strict whether tensors and options of configs that a checkpoint has beyond what is known
 *     are errors; otherwise they are {@linkplain Pipeline#warnings warned} of
 * @param logging whether warnings of loading go to the system logger {@code dev.darkroom.pipeline}
 *     too
 * @param tiling when large latents are decoded in tiles, which takes less memory
 * @param offload when the parts take turns in memory instead of being loaded together
 * @param weights what the weights of linear layers are kept as
 * @param embeddings learned embeddings that prompts may name, for families whose text encoder is
 *     CLIP
 * @param vae the autoencoder that takes the place of the checkpoint's: {@code tiny} for the one in
 *     its folder {@code vae_tiny}, a folder, or the name of a model on a hub; null for its own
 * @param autoGuidance a weaker version of the model, such as an earlier checkpoint of its training,
 *     by what {@link Pipeline#load(String, PipelineOptions)} takes: guidance leads away from what
 *     that estimates of the same prompt, and not from the unconditional estimate ({@linkplain
 *     dev.darkroom.models.diffusion.guidance.Autoguided autoguidance}); null for none
 * @param controls ControlNets that steer sampling by the {@linkplain
 *     dev.darkroom.models.family.Inputs#controls pictures} of a request, each a folder with a
 *     {@code config.json} and weights, a single {@code .safetensors} file or the name of one on a
 *     hub; they come after those that the checkpoint has
 * @param hub where models are found by their names, and kept; null for what the environment says
 * @param listener is told how downloading and loading go on, and can end them
 */
public record PipelineOptions(
        DType dtype,
        @Nullable DType vaeDtype,
        Device device,
        int threads,
        boolean mapped,
        @Nullable String variant,
        boolean strict,
        boolean logging,
        Tiling tiling,
        Offload offload,
        WeightFormat weights,
        List<Embedding> embeddings,
        @Nullable String vae,
        @Nullable String autoGuidance,
        List<String> controls,
        @Nullable HubOptions hub,
        LoadListener listener) {
    /** Checks the values. */
    public PipelineOptions {
        Objects.requireNonNull(listener, "listener; LoadListener.NONE listens to nothing");
        requireComputable(dtype);
        Objects.requireNonNull(tiling, "tiling");
        Objects.requireNonNull(offload, "offload");
        Objects.requireNonNull(weights, "weights");
        embeddings = List.copyOf(embeddings);
        controls = List.copyOf(controls);
        if (controls.stream().anyMatch(String::isBlank)) {
            throw new IllegalArgumentException("a ControlNet needs a name, not an empty one");
        }
        if (vaeDtype != null) {
            requireComputable(vaeDtype);
        }
        if (variant != null && !variant.matches("[\\w-]+([.][\\w-]+)*")) {
            throw new IllegalArgumentException(
                    "a variant is a part of a file's name such as fp16, not \"" + variant + "\"");
        }
        if (autoGuidance != null && autoGuidance.isBlank()) {
            throw new IllegalArgumentException(
                    "autoguidance needs the name of a weaker model, not an empty one");
        }
        if (threads < 0 || threads > 1024) {
            throw new IllegalArgumentException(
                    "threads must be 0 (libtorch's choice) to 1024, not " + threads);
        }
    }

    private static void requireComputable(DType dtype) {
        if (!dtype.isFloatingPoint() || dtype.bytes() == 1) {
            throw new IllegalArgumentException(
                    "a pipeline computes in float32, bfloat16, float16 or float64, not in "
                            + dtype);
        }
    }

    /** float32 on the CPU, plain weights, mapped, with libtorch's number of threads. */
    public static PipelineOptions defaults() {
        return new PipelineOptions(
                DType.FLOAT32,
                null,
                Device.CPU,
                0,
                true,
                null,
                false,
                true,
                Tiling.AUTO,
                Offload.AUTO,
                WeightFormat.AUTO,
                List.of(),
                null,
                null,
                List.of(),
                null,
                LoadListener.NONE);
    }

    /** These options with another type. */
    public PipelineOptions withDtype(DType dtype) {
        return with(copy -> copy.dtype = dtype);
    }

    /** These options with a type for the autoencoder; null to choose it by its config. */
    public PipelineOptions withVaeDtype(@Nullable DType vaeDtype) {
        return with(copy -> copy.vaeDtype = vaeDtype);
    }

    /** These options on another device. */
    public PipelineOptions withDevice(Device device) {
        return with(copy -> copy.device = device);
    }

    /** These options with another number of native threads. */
    public PipelineOptions withThreads(int threads) {
        return with(copy -> copy.threads = threads);
    }

    /** These options with weights mapped, or read. */
    public PipelineOptions withMapped(boolean mapped) {
        return with(copy -> copy.mapped = mapped);
    }

    /** These options with a variant of the weights; null for the plain ones. */
    public PipelineOptions withVariant(@Nullable String variant) {
        return with(copy -> copy.variant = variant);
    }

    /** These options with errors instead of warnings, or the other way round. */
    public PipelineOptions withStrict(boolean strict) {
        return with(copy -> copy.strict = strict);
    }

    /** These options with warnings logged, or only {@linkplain Pipeline#warnings kept}. */
    public PipelineOptions withLogging(boolean logging) {
        return with(copy -> copy.logging = logging);
    }

    /** These options with large latents decoded in tiles, or not. */
    public PipelineOptions withTiling(Tiling tiling) {
        return with(copy -> copy.tiling = tiling);
    }

    /** These options with parts that take turns in memory, or not. */
    public PipelineOptions withOffload(Offload offload) {
        return with(copy -> copy.offload = offload);
    }

    /** These options with the weights of linear layers kept as something else. */
    public PipelineOptions withWeights(WeightFormat weights) {
        return with(copy -> copy.weights = weights);
    }

    /** These options with a learned embedding more (textual inversion) that prompts may name. */
    public PipelineOptions withEmbedding(Embedding embedding) {
        return with(
                copy ->
                        copy.embeddings =
                                Stream.concat(copy.embeddings.stream(), Stream.of(embedding))
                                        .toList());
    }

    /**
     * These options with another autoencoder than the checkpoint's: {@code tiny} for the tiny one
     * in its folder {@code vae_tiny}, a folder with a {@code config.json} and weights, or the name
     * of a model on a hub, {@code ORG/NAME}; null for its own.
     */
    public PipelineOptions withVae(@Nullable String vae) {
        return with(copy -> copy.vae = vae);
    }

    /** These options with guidance away from a weaker version of the model; null for none. */
    public PipelineOptions withAutoGuidance(@Nullable String model) {
        return with(copy -> copy.autoGuidance = model);
    }

    /**
     * These options with a ControlNet more: a folder with a {@code config.json} and weights, a
     * single {@code .safetensors} file, or the name of a model on a hub, {@code ORG/NAME}. Each
     * request brings a picture for it.
     */
    public PipelineOptions withControl(String net) {
        Objects.requireNonNull(net, "net");
        return with(
                copy ->
                        copy.controls =
                                Stream.concat(copy.controls.stream(), Stream.of(net)).toList());
    }

    /** These options for a model beside the one that they were made for. */
    PipelineOptions beside() {
        return with(
                copy -> {
                    copy.vae = null;
                    copy.controls = List.of();
                });
    }

    /**
     * These options with another hub or cache, token and so on, such as {@code
     * HubOptions.fromEnvironment().withOffline(true)}; null for what the environment says.
     */
    public PipelineOptions withHub(@Nullable HubOptions hub) {
        return with(copy -> copy.hub = hub);
    }

    /** These options with a listener to downloading and loading. */
    public PipelineOptions withListener(LoadListener listener) {
        return with(copy -> copy.listener = listener);
    }

    /**
     * What loading a checkpoint looks at.
     *
     * @param vaeFolder of the autoencoder that takes the place of the checkpoint's
     * @param controlNets folders or single files
     */
    LoadOptions loading(@Nullable Path vaeFolder, List<Path> controlNets) {
        return new LoadOptions(
                dtype,
                vaeDtype,
                device,
                mapped,
                variant,
                strict,
                tiling,
                offload,
                weights,
                vaeFolder,
                controlNets);
    }

    private PipelineOptions with(Consumer<Copy> change) {
        var copy = new Copy(this);
        change.accept(copy);
        return copy.options();
    }

    /** The options one by one, for what differs from others in one of them. */
    private static final class Copy {
        private DType dtype;
        private @Nullable DType vaeDtype;
        private Device device;
        private int threads;
        private boolean mapped;
        private @Nullable String variant;
        private boolean strict;
        private boolean logging;
        private Tiling tiling;
        private Offload offload;
        private WeightFormat weights;
        private List<Embedding> embeddings;
        private @Nullable String vae;
        private @Nullable String autoGuidance;
        private List<String> controls;
        private @Nullable HubOptions hub;
        private LoadListener listener;

        Copy(PipelineOptions from) {
            dtype = from.dtype;
            vaeDtype = from.vaeDtype;
            device = from.device;
            threads = from.threads;
            mapped = from.mapped;
            variant = from.variant;
            strict = from.strict;
            logging = from.logging;
            tiling = from.tiling;
            offload = from.offload;
            weights = from.weights;
            embeddings = from.embeddings;
            vae = from.vae;
            autoGuidance = from.autoGuidance;
            controls = from.controls;
            hub = from.hub;
            listener = from.listener;
        }

        PipelineOptions options() {
            return new PipelineOptions(
                    dtype,
                    vaeDtype,
                    device,
                    threads,
                    mapped,
                    variant,
                    strict,
                    logging,
                    tiling,
                    offload,
                    weights,
                    embeddings,
                    vae,
                    autoGuidance,
                    controls,
                    hub,
                    listener);
        }
    }
}
