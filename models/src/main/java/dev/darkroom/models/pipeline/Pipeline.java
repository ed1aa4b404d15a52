package dev.darkroom.models.pipeline;

import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Model;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint that makes pictures. May be called from any number of threads, virtual ones too: the
 * work runs on a platform thread of the pipeline's own, one request at a time in the order they
 * come, so that memory is bounded by one request and the pictures are those of a sequential run.
 *
 * <pre>{@code
 * try (var pipeline = Pipeline.embedded()) {
 *     var result = pipeline.sample(SampleRequest.of("a red heart on a blue background"));
 *     ImageIO.write(result.pictures().getFirst().toBufferedImage(), "png", file);
 * }
 * }</pre>
 */
public interface Pipeline extends AutoCloseable {
    /**
     * Loads a checkpoint in the layout of public hubs; its {@code model_index.json} says which
     * pipeline it is.
     *
     * @param folder that holds {@code model_index.json}
     * @throws PipelineException if a part is missing, malformed, of an unknown class, does not fit
     *     its config, or takes more memory than there is
     */
    static Pipeline load(Path folder, PipelineOptions options) {
        return load(folder, options, Families.BUILT_IN);
    }

    /**
     * Loads a checkpoint of one of some families, which may be the caller's own. See {@link
     * #load(Path, PipelineOptions)}.
     */
    static Pipeline load(Path folder, PipelineOptions options, Families families) {
        return PipelineLoader.load(folder, options, families);
    }

    /**
     * Loads a model by what people write for it: a folder as {@link #load(Path, PipelineOptions)}
     * takes it, a single {@code .safetensors} file of a family that reads such files, or {@code
     * ORG/NAME[@REVISION][:VARIANT]} for a model of a hub. That is taken from the cache, which is
     * shared with Python's {@code huggingface_hub}, without asking the hub, and downloaded only
     * where it is not there, or not all of it; {@link dev.darkroom.hub.Hub#download} looks for a
     * newer one.
     *
     * <pre>{@code
     * var hub = HubOptions.fromEnvironment().withCache(folder).withOffline(true);
     * Pipeline.load("ORG/NAME", PipelineOptions.defaults().withHub(hub));
     * }</pre>
     *
     * @throws PipelineException if it is none of these, can't be downloaded, or can't be loaded
     * @throws CancelledException if the {@linkplain PipelineOptions#listener listener} ended it, or
     *     the calling thread was interrupted (its interrupt status is then set); what was
     *     downloaded so far is kept
     */
    static Pipeline load(String model, PipelineOptions options) {
        return load(model, options, Families.BUILT_IN);
    }

    /**
     * Loads a model of one of some families, which may be the caller's own. See {@link
     * #load(String, PipelineOptions)}.
     */
    static Pipeline load(String model, PipelineOptions options, Families families) {
        return PipelineLoader.load(model, options, families);
    }

    /** Loads a model in float32 on the CPU. See {@link #load(String, PipelineOptions)}. */
    static Pipeline load(String model) {
        return load(model, PipelineOptions.defaults());
    }

    /** Loads a checkpoint in float32 on the CPU. See {@link #load(Path, PipelineOptions)}. */
    static Pipeline load(Path folder) {
        return load(folder, PipelineOptions.defaults());
    }

    /**
     * The model that comes with Darkroom: its student, in float32 on the CPU. For its teacher or
     * other options, {@link #load} the {@linkplain EmbeddedModel#folder folder} of an {@link
     * EmbeddedModel}.
     *
     * @throws PipelineException if it can't be unpacked or does not fit in memory
     */
    static Pipeline embedded() {
        return load(EmbeddedModel.STUDENT.folder());
    }

    /**
     * A pipeline of a model that was put together in Java, such as one of a family of the caller's
     * own or one that was just trained.
     *
     * @param name for display and for the thread
     * @param model stays the caller's, and is closed after the pipeline
     * @param options of which those about files have no effect
     */
    static Pipeline of(String name, Model model, PipelineOptions options) {
        PipelineLoader.requireDevice(options.device());
        return new LatentPipeline(
                new GivenModel(name), model, List.of(), null, Defaults.NONE, options);
    }

    /**
     * A pipeline of a model that was put together in Java, which is guided away from a weaker one
     * (autoguidance). See {@link #of(String, Model, PipelineOptions)} and {@link
     * PipelineOptions#autoGuidance}.
     *
     * @param weaker of the same family, stays the caller's; of it, network and conditioner are used
     * @throws IllegalArgumentException if the weaker model is another kind of model
     */
    static Pipeline of(String name, Model model, Model weaker, PipelineOptions options) {
        PipelineLoader.requireDevice(options.device());
        var guide = new WeakerModel(new GivenModel("the weaker model"), weaker);
        guide.require(model);
        return new LatentPipeline(
                new GivenModel(name), model, List.of(), guide, Defaults.NONE, options);
    }

    /** Samples without watching. See {@link #sample(SampleRequest, SampleMonitor, Tensor)}. */
    default SampleResult sample(SampleRequest request) {
        return sample(request, SampleMonitor.NONE);
    }

    /** Samples from noise. See {@link #sample(SampleRequest, SampleMonitor, Tensor)}. */
    default SampleResult sample(SampleRequest request, SampleMonitor monitor) {
        return sample(request, monitor, null);
    }

    /**
     * Samples, and waits for the pictures.
     *
     * @param monitor watches the run and can end it
     * @param latents where to start, {@code [N,C,H,W]} already scaled for the sampler; then nothing
     *     is drawn for the start and each generator serves only the noise that samplers add. null
     *     to draw
     * @throws PipelineException if the request does not fit the checkpoint
     * @throws CancelledException if the monitor ended the run or the calling thread was interrupted
     *     (its interrupt status is then set)
     * @throws IllegalStateException if the pipeline is closed
     */
    SampleResult sample(SampleRequest request, SampleMonitor monitor, @Nullable Tensor latents);

    /** Inverts a picture without watching, with two evaluations in each step. */
    default InversionResult invert(SampleRequest request) {
        return invert(request, 2, SampleMonitor.NONE);
    }

    /**
     * Inverts a picture, and waits for its latents: from these, {@link #sample(SampleRequest,
     * SampleMonitor, Tensor)} makes the picture again with the sampler, steps, guidance and inputs
     * of {@link InversionResult#request}, and another with other inputs ({@link
     * dev.darkroom.models.diffusion.Inversion}).
     *
     * @param request with an {@link dev.darkroom.models.family.Edit} of strength 1 without a mask;
     *     the sampler is by itself {@code euler}, or another deterministic one of the first order
     *     ({@code ddim}), and guidance by itself 1, which is none
     * @param iterations evaluations of the network in each step, at least 1
     * @param monitor watches the run and can end it
     * @throws PipelineException if the request does not fit the checkpoint, or that is a student of
     *     latent consistency
     * @throws CancelledException if the monitor ended the run or the calling thread was interrupted
     *     (its interrupt status is then set)
     * @throws IllegalStateException if the pipeline is closed
     */
    InversionResult invert(SampleRequest request, int iterations, SampleMonitor monitor);

    /**
     * Decodes an estimate that a {@link SampleMonitor} was given, during its call, on its thread.
     *
     * @param denoised {@code [N,C,H,W]}
     */
    List<Picture> preview(Tensor denoised);

    /**
     * Shows an estimate as {@link #preview} does, in far less time than a step takes. Where the
     * autoencoder is not a small one, and there is no tiny one for previews, the pictures have a
     * pixel for each of the latents, in colours that are a linear map of them.
     *
     * @param denoised {@code [N,C,H,W]}
     */
    default List<Picture> quickPreview(Tensor denoised) {
        return preview(denoised);
    }

    /**
     * What loading met that may matter: tensors and options that are not known and without effect,
     * parts that lack the variant. Also logged, unless the {@linkplain PipelineOptions#logging
     * options} say otherwise.
     */
    default List<String> warnings() {
        return List.of();
    }

    /**
     * What the checkpoint is: its class, the classes and sizes of its parts, its own settings;
     * names and values for display and for a picture's metadata.
     */
    Map<String, Object> describe();

    /**
     * The SHA-256 of each weights file, by its path below the folder. A file is read only if the
     * {@linkplain dev.darkroom.runtime.cache.FileHashes cache} does not know the hash of the file
     * with its path, size, times and inode.
     *
     * @throws PipelineException if a file can't be read
     */
    Map<String, String> hashWeights();

    /** As {@link #hashWeights}, but all files are read. */
    Map<String, String> rehashWeights();

    /** Ends after the request in progress; requests that wait fail. */
    @Override
    void close();
}
