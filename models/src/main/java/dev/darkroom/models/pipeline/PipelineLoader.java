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
import dev.darkroom.models.text.TextualInversion;
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
import java.util.concurrent.CancellationException;

/** Finds a model and loads it as its family does. */
final class PipelineLoader {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.pipeline");

    /** Rows of a batch with guidance. */
    private static final int GUIDED = 2;

    private PipelineLoader() {}

    static Pipeline load(String model, PipelineOptions options, Families families) {
        requireDevice(options.device());
        return loaded(
                () ->
                        switch (ModelLocation.of(model)) {
                            case ModelLocation.Folder folder ->
                                    checkpoint(folder.path(), null, options, families);
                            case ModelLocation.WeightsFile file ->
                                    file(file.path(), options, families);
                            case ModelLocation.OnHub named -> ofHub(named.id(), options, families);
                        });
    }

    static Pipeline load(Path folder, PipelineOptions options, Families families) {
        requireDevice(options.device());
        return loaded(() -> checkpoint(folder, null, options, families));
    }

    /** What loads, and what may go wrong with it. */
    private interface Loading {
        Pipeline run() throws IOException, InterruptedException;
    }

    private static Pipeline loaded(Loading loading) {
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

    private static Pipeline ofHub(ModelId id, PipelineOptions options, Families families)
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
        HubOptions hub = options.hub() == null ? HubOptions.fromEnvironment() : options.hub();
        var snapshot = new ModelLocation.OnHub(chosen).snapshot(hub, options.listener());
        return checkpoint(
                snapshot.folder(), snapshot, options.withVariant(chosen.variant()), families);
    }

    private static Pipeline checkpoint(
            Path folder, @Nullable Snapshot origin, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        Checkpoint checkpoint = Checkpoint.open(folder, options.loading(vae(folder, options)));
        return owned(
                new CheckpointSource(checkpoint, origin),
                options,
                source -> {
                    checkpoint.listen(options.listener());
                    Family family = family(checkpoint, families);
                    var defaults = Defaults.read(folder); // before the weights, which take long
                    var embeddings = EmbeddingLoader.load(options);
                    Model model = family.load(checkpoint).withEmbeddings(embeddings);
                    checkpoint.requireNoOthers();
                    fit(checkpoint::fit, model, options);
                    return pipeline(source, model, embeddings, defaults, options);
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

    private static Pipeline file(Path path, PipelineOptions options, Families families)
            throws IOException, InterruptedException {
        SingleFile file = SingleFile.open(path, options.loading(vae(null, options)));
        var family = families.find(file.header()).orElseThrow(file::unknown);
        return owned(
                new SingleFileSource(file, family.name()),
                options,
                source -> {
                    file.listen(options.listener());
                    var defaults = Defaults.read(file);
                    var embeddings = EmbeddingLoader.load(options);
                    Model model = family.load(file).withEmbeddings(embeddings);
                    fit(file::fit, model, options);
                    return pipeline(source, model, embeddings, defaults, options);
                });
    }

    private static Pipeline pipeline(
            Source source,
            Model model,
            List<TextualInversion> embeddings,
            Defaults own,
            PipelineOptions options)
            throws IOException {
        return new LatentPipeline(
                source, model, EmbeddingLoader.describe(embeddings), own, options);
    }

    /** What makes a pipeline of an opened source. */
    private interface Making {
        Pipeline of(Source source) throws IOException, InterruptedException;
    }

    /** Makes a pipeline that closes its source, which is closed here where that fails. */
    private static Pipeline owned(Source source, PipelineOptions options, Making making)
            throws IOException, InterruptedException {
        boolean loaded = false;
        try {
            Pipeline pipeline = making.of(source);
            loaded = true;
            if (options.logging()) {
                pipeline.warnings().forEach(w -> LOG.log(Level.WARNING, w));
            }
            return pipeline;
        } finally {
            if (!loaded) {
                source.close();
            }
        }
    }

    /** Loads networks as they fit. */
    private interface Fitting {
        void fit(Module denoiser, long activations, long decoding) throws IOException;
    }

    /** Loads the networks as they fit beside what a picture of the checkpoint's own size takes. */
    private static void fit(Fitting fitting, Model model, PipelineOptions options)
            throws IOException {
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
        fitting.fit(model.network(), activations, decoding);
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
