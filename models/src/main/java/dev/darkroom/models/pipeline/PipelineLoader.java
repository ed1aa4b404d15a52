package dev.darkroom.models.pipeline;

import dev.darkroom.common.FullHeap;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.libtorch.LibtorchException;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;

/** Loads a checkpoint as its family does. */
final class PipelineLoader {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.pipeline");

    /** Rows of a batch with guidance. */
    private static final int GUIDED = 2;

    private PipelineLoader() {}

    static Pipeline load(Path folder, PipelineOptions options, Families families) {
        requireDevice(options.device());
        try {
            Checkpoint checkpoint = Checkpoint.open(folder, options.loading());
            boolean loaded = false;
            try {
                Family family = family(checkpoint, families);
                var defaults = Defaults.read(folder); // before the weights, which take long
                Model model = family.load(checkpoint);
                checkpoint.requireNoOthers();
                fit(checkpoint, model, options);
                Pipeline pipeline =
                        new LatentPipeline(
                                new CheckpointSource(checkpoint), model, defaults, options);
                loaded = true;
                if (options.logging()) {
                    checkpoint.warnings().list().forEach(w -> LOG.log(Level.WARNING, w));
                }
                return pipeline;
            } finally {
                if (!loaded) {
                    checkpoint.close();
                }
            }
        } catch (IOException e) {
            throw PipelineException.of(e);
        } catch (InsufficientMemoryException | LibtorchException.OutOfMemory e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        } catch (RuntimeException | Error e) {
            FullHeap.rethrow(e);
            throw e;
        }
    }

    /** Loads the networks as they fit beside what a picture of the checkpoint's own size takes. */
    private static void fit(Checkpoint checkpoint, Model model, PipelineOptions options)
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
        checkpoint.fit(model.network(), activations, decoding);
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
