package dev.darkroom.models.pipeline;

import dev.darkroom.common.FullHeap;
import dev.darkroom.common.UntrustedFile;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.libtorch.LibtorchException;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.FileSystemException;
import java.nio.file.Path;

/** Loads a checkpoint as its family does. */
final class PipelineLoader {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.pipeline");

    private PipelineLoader() {}

    static Pipeline load(Path folder, PipelineOptions options) {
        requireDevice(options.device());
        try {
            Checkpoint checkpoint = Checkpoint.open(folder, options.loading());
            boolean loaded = false;
            try {
                Family family = family(checkpoint);
                var defaults = Defaults.read(folder); // before the weights, which take long
                Model model = family.load(checkpoint);
                checkpoint.requireNoOthers();
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
        } catch (FileSystemException e) { // whose message is the path alone
            throw new PipelineException(e.getFile() + ": " + UntrustedFile.problem(e), e);
        } catch (IOException | InsufficientMemoryException | LibtorchException.OutOfMemory e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        } catch (RuntimeException | Error e) {
            FullHeap.rethrow(e);
            throw e;
        }
    }

    private static Family family(Checkpoint checkpoint) {
        try {
            return Families.BUILT_IN.of(checkpoint.className());
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
