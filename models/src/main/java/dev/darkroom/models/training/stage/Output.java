package dev.darkroom.models.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.nn.Module;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Where a run's network goes: into a checkpoint with all that it needs.
 *
 * @param scheduler its config
 */
record Output(
        LatentData data,
        Conditioning conditioning,
        ObjectNode scheduler,
        TrainingConfig config,
        Samples samples) {
    /** A checkpoint of the weights as they are. */
    void write(Path folder, Module network, DType dtype) throws IOException {
        var hub = new HubFolder(folder, conditioning.pipelineClass());
        conditioning.write(hub, dtype);
        hub.network(
                "transformer",
                HubFolder.Library.DIFFUSERS,
                conditioning.json().path("_class_name").asText(),
                conditioning.json(),
                network,
                dtype);
        hub.scheduler(scheduler);
        hub.copy("vae", HubFolder.Library.DIFFUSERS, "AutoencoderKL", data.autoencoderFolder());
        hub.finish();
    }

    /** The result. */
    void finish(Path folder, Module network) throws IOException {
        write(folder, network, config.savedDtype());
    }

    /** Pictures of the weights as they are, and the checkpoint that made them. */
    void show(long step, Path pictures, Module network) throws IOException {
        Path checkpoint = pictures.resolveSibling("preview");
        write(checkpoint, network, DType.FLOAT32);
        samples.write(
                checkpoint,
                PipelineOptions.defaults()
                        .withDevice(config.device())
                        .withThreads(Threads.count())
                        .withMapped(false),
                conditioning instanceof ClassConditioning,
                pictures.resolve("step-%06d.png".formatted(step)));
    }
}
