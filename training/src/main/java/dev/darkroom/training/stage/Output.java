package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Where a run's network goes: into a checkpoint with all that it needs.
 *
 * @param scheduler its config
 * @param defaults how the checkpoint is sampled where nothing else is said
 * @param adapters of the network, which are merged into the checkpoint; null for none
 */
record Output(
        LatentData data,
        Conditioning conditioning,
        ObjectNode scheduler,
        Defaults defaults,
        TrainingConfig config,
        Samples samples,
        @Nullable Lora adapters) {
    private static final String ADAPTERS = "lora";

    /** The section {@code defaults} of a stage's config. */
    static Defaults defaults(ConfigReader json) {
        return json.section(
                "defaults",
                each -> new Defaults(each.integerOrNull("steps"), each.numberOrNull("guidance")));
    }

    /** A checkpoint of the weights, and adapters, as they are. */
    private void write(Path folder, Module network, DType dtype) throws IOException {
        if (adapters == null) {
            writeAsItIs(folder, network, dtype);
            return;
        }
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            Map<String, Tensor> before = new LinkedHashMap<>();
            network.state().forEach((name, value) -> before.put(name, value.copy()));
            adapters.merge();
            try {
                writeAsItIs(folder, network, dtype);
            } finally {
                adapters.unmerge(); // up to rounding, which would change the run
                network.state()
                        .forEach(
                                (name, value) ->
                                        value.copyInPlace(
                                                Objects.requireNonNull(before.get(name))));
            }
        }
    }

    private void writeAsItIs(Path folder, Module network, DType dtype) throws IOException {
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
        hub.defaults(defaults);
        hub.copy("vae", HubFolder.Library.DIFFUSERS, "AutoencoderKL", data.autoencoderFolder());
        hub.finish();
    }

    /** The result. */
    void finish(Path folder, Module network) throws IOException {
        if (adapters != null) {
            adapters.save(folder.resolve(ADAPTERS));
        }
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
                        .withMapped(false)
                        .withLogging(false), // the run was warned as it began
                conditioning instanceof ClassConditioning,
                pictures.resolve(String.format(Locale.ROOT, "step-%06d.png", step)));
    }
}
