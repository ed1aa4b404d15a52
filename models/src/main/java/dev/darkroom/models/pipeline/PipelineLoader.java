package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.LibtorchException;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** Picks the pipeline that a checkpoint asks for. */
final class PipelineLoader {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.pipeline");

    /** Loads the parts of a checkpoint. */
    private interface Loading {
        LatentPipeline load(Checkpoint checkpoint) throws IOException;
    }

    /** By the class in {@code model_index.json}. */
    private static final Map<String, Loading> PIPELINES =
            new TreeMap<>(
                    Map.of(
                            "PixArtAlphaPipeline", PixArtPipeline::load,
                            "PixArtSigmaPipeline", PixArtPipeline::load,
                            "DiTPipeline", DitPipeline::load));

    private PipelineLoader() {}

    static Pipeline load(Path folder, PipelineOptions options) {
        requireDevice(options.device());
        try {
            Checkpoint checkpoint = Checkpoint.open(folder, options);
            Loading loading = PIPELINES.get(checkpoint.className());
            if (loading == null) {
                throw new PipelineException(
                        folder
                                + ": model_index.json asks for "
                                + (checkpoint.className().isEmpty()
                                        ? "no pipeline"
                                        : "the pipeline " + checkpoint.className())
                                + "; supported are "
                                + String.join(", ", PIPELINES.keySet()));
            }
            boolean loaded = false;
            try {
                Pipeline pipeline = loading.load(checkpoint);
                checkpoint.requireNoOthers();
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
        } catch (IOException | InsufficientMemoryException | LibtorchException.OutOfMemory e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        }
    }

    private static void requireDevice(Device device) {
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
