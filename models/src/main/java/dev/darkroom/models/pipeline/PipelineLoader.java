package dev.darkroom.models.pipeline;

import dev.darkroom.common.FullHeap;
import dev.darkroom.hub.HubException;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;
import dev.darkroom.hub.Snapshot;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.vae.VaeLocation;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.libtorch.LibtorchException;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/** Finds a model and loads it as its family does. */
final class PipelineLoader {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.pipeline");

    /** Rows of a batch with guidance. */
    private static final int GUIDED = 2;

    private PipelineLoader() {}

    static Pipeline load(String model, PipelineOptions options, Families families) {
        requireDevice(options.device());
        return loaded(() -> pipeline(open(model, options, families), options, families));
    }

    static Pipeline load(Path folder, PipelineOptions options, Families families) {
        requireDevice(options.device());
        return loaded(
                () -> pipeline(checkpoint(folder, null, options, families), options, families));
    }

    /**
     * A model whose networks are not yet loaded.
     *
     * @param source is closed with the pipeline
     * @param embeddings that were learned, as they are described
     * @param own what the checkpoint says of itself
     */
    private record Opened(
            Source source,
            String family,
            Model model,
            List<Map<String, Object>> embeddings,
            Defaults own,
            Networks networks) {}

    /**
     * What is done with the networks of what was opened.
     *
     * @param loading of all, as they fit
     * @param leavingOut of one that is not going to be used
     */
    private record Networks(Fitting loading, Consumer<Module> leavingOut) {}

    private interface Fitting {
        void fit(Module denoiser, long activations, long decoding) throws IOException;
    }

    private static Opened open(String model, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        return switch (ModelLocation.of(model)) {
            case ModelLocation.Folder folder -> checkpoint(folder.path(), null, options, families);
            case ModelLocation.WeightsFile file -> file(file.path(), options, families);
            case ModelLocation.OnHub named -> ofHub(named.id(), options, families);
        };
    }

    /** Makes the pipeline, with the weaker model that the options name. */
    private static Pipeline pipeline(Opened opened, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        return orClosed(
                opened.source,
                () -> {
                    fit(opened, options);
                    WeakerModel weaker = weaker(opened, options, families);
                    Pipeline pipeline =
                            new LatentPipeline(
                                    opened.source,
                                    opened.model,
                                    opened.embeddings,
                                    weaker,
                                    opened.own,
                                    options);
                    if (options.logging()) {
                        pipeline.warnings().forEach(w -> LOG.log(Level.WARNING, w));
                    }
                    return pipeline;
                });
    }

    private static @Nullable WeakerModel weaker(
            Opened guided, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        if (options.autoGuidance() == null) {
            return null;
        }
        Opened opened = open(options.autoGuidance(), options.beside(), families);
        return orClosed(
                opened.source,
                () -> {
                    if (!opened.family.equals(guided.family)) {
                        throw new PipelineException(
                                opened.source.name()
                                        + " can't be the weaker model of autoguidance: it is of the"
                                        + " family "
                                        + opened.family
                                        + ", and the model of "
                                        + guided.family);
                    }
                    var weaker = new WeakerModel(opened.source, opened.model);
                    try {
                        weaker.require(guided.model);
                    } catch (IllegalArgumentException e) {
                        throw new PipelineException(String.valueOf(e.getMessage()), e);
                    }
                    Module decoder = opened.model.codec().network();
                    if (decoder != null) {
                        opened.networks.leavingOut.accept(decoder);
                    }
                    fit(opened, options);
                    return weaker;
                });
    }

    /** What loads, and what may go wrong with it. */
    private interface Loading<T> {
        T run() throws IOException, InterruptedException;
    }

    private static Pipeline loaded(Loading<Pipeline> loading) {
        try {
            return loading.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("loading was interrupted; what came so far is kept", e);
        } catch (CancellationException e) {
            throw new CancelledException(String.valueOf(e.getMessage()), e);
        } catch (HubException e) {
            String message = String.valueOf(e.getMessage());
            throw e.kind() == HubException.Kind.CANCELLED
                    ? new CancelledException(message, e)
                    : new PipelineException(message, e);
        } catch (IOException e) {
            throw PipelineException.of(e);
        } catch (InsufficientMemoryException | LibtorchException.OutOfMemory e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        } catch (RuntimeException | Error e) {
            FullHeap.rethrow(e);
            throw e;
        }
    }

    private static Opened ofHub(ModelId id, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        String variant = options.variant();
        if (variant != null && id.variant() != null && !variant.equals(id.variant())) {
            throw new PipelineException(
                    id
                            + " names the variant "
                            + id.variant()
                            + ", and the options name "
                            + variant
                            + "; leave out one of them");
        }
        ModelId chosen = variant == null ? id : id.withVariant(variant);
        HubOptions hub = HubOptions.orFromEnvironment(options.hub());
        var snapshot = new ModelLocation.OnHub(chosen).snapshot(hub, options.listener());
        return checkpoint(
                snapshot.folder(), snapshot, options.withVariant(chosen.variant()), families);
    }

    private static Opened checkpoint(
            Path folder, @Nullable Snapshot origin, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        Checkpoint checkpoint =
                Checkpoint.open(folder, options.loading(vae(folder, options), controls(options)));
        Source source = new CheckpointSource(checkpoint, origin);
        return orClosed(
                source,
                () -> {
                    checkpoint.listen(options.listener());
                    Family family = family(checkpoint, families);
                    var defaults = Defaults.read(folder); // before the weights, which take long
                    var embeddings = EmbeddingLoader.load(options);
                    Model model = family.load(checkpoint).withEmbeddings(embeddings);
                    model.controls().requireLoaded(checkpoint.options().controls());
                    checkpoint.requireNoOthers();
                    return new Opened(
                            source,
                            family.name(),
                            model,
                            EmbeddingLoader.describe(embeddings),
                            defaults,
                            new Networks(checkpoint::fit, checkpoint::leaveOut));
                });
    }

    /** The folder of the autoencoder that the options name; null for the checkpoint's own. */
    private static @Nullable Path vae(@Nullable Path checkpoint, PipelineOptions options)
            throws IOException, InterruptedException {
        String vae = options.vae();
        return vae == null
                ? null
                : VaeLocation.folder(vae, checkpoint, options.hub(), options.listener());
    }

    /** The folders and files of the ControlNets that the options name. */
    private static List<Path> controls(PipelineOptions options)
            throws IOException, InterruptedException {
        return ModelLocation.foldersOrFiles(
                "a ControlNet", options.controls(), options.hub(), options.listener());
    }

    private static Opened file(Path path, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        SingleFile file =
                SingleFile.open(path, options.loading(vae(null, options), controls(options)));
        var family = families.find(file.header()).orElseThrow(file::unknown);
        Source source = new SingleFileSource(file, family.name());
        return orClosed(
                source,
                () -> {
                    file.listen(options.listener());
                    var defaults = Defaults.read(file);
                    var embeddings = EmbeddingLoader.load(options);
                    Model model = family.load(file).withEmbeddings(embeddings);
                    model.controls().requireLoaded(file.options().controls());
                    return new Opened(
                            source,
                            family.name(),
                            model,
                            EmbeddingLoader.describe(embeddings),
                            defaults,
                            new Networks(file::fit, file::leaveOut));
                });
    }

    /** Makes something of an opened source, which is closed where that fails. */
    private static <T> T orClosed(Source source, Loading<T> making)
            throws IOException, InterruptedException {
        boolean made = false;
        try {
            T result = making.run();
            made = true;
            return result;
        } finally {
            if (!made) {
                source.close();
            }
        }
    }

    /** Loads the networks as they fit beside what a picture of the checkpoint's own size takes. */
    private static void fit(Opened opened, PipelineOptions options) throws IOException {
        Model model = opened.model;
        long activations = 0;
        long decoding = 0;
        if (options.device().type() == Device.Type.CPU) {
            try {
                Size size = model.sizes().choose(new RequestedSize(null, null, true)).sampled();
                activations =
                        LatentPipeline.activations(
                                model.network(), GUIDED, model.codec().latents(size), options);
                decoding = model.codec().decodingBytes(size);
            } catch (IllegalArgumentException e) {
                LOG.log(Level.DEBUG, "no size of its own, each request names one", e);
            }
        }
        opened.networks.loading.fit(model.network(), activations, decoding);
    }

    private static Family family(Checkpoint checkpoint, Families families) {
        try {
            return families.of(checkpoint.className());
        } catch (IllegalArgumentException e) {
            throw new PipelineException(checkpoint.folder() + ": " + e.getMessage(), e);
        }
    }

    static void requireDevice(Device device) {
        int count = device.type().count();
        if (device.index() >= count || count == 0) {
            throw new PipelineException(
                    "there is no device "
                            + device
                            + " here"
                            + (count == 0 ? "" : ", only " + count + " of its type")
                            + "; use cpu (darkroom doctor tells what libtorch supports)");
        }
    }
}
