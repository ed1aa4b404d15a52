package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.CheckpointWriter;
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
 * The checkpoint that a run's network becomes.
 *
 * @param pipeline the class that its index names
 * @param network of the run
 * @param conditioning the parts beside it
 * @param scheduler its config
 * @param defaults how the checkpoint is sampled where nothing else is said
 * @param adapters of the network, which are merged into the checkpoint; null for none
 */
record ResultCheckpoint(
        String pipeline,
        Architecture<?, ?> network,
        Conditioning conditioning,
        LatentData data,
        ObjectNode scheduler,
        Defaults defaults,
        TrainingConfig config,
        Previews previews,
        @Nullable Lora adapters) {
    private static final String ADAPTERS = "lora";

    /** Reads the section {@code defaults} of a stage's config. */
    static Defaults defaults(ConfigReader json) {
        return json.section(
                "defaults",
                each -> new Defaults(each.integerOrNull("steps"), each.numberOrNull("guidance")));
    }

    /** Writes a checkpoint of the weights, and adapters, as they are. */
    private void write(Path folder, Module trained, DType dtype) throws IOException {
        if (adapters == null) {
            writeAsItIs(folder, trained, dtype);
            return;
        }
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            Map<String, Tensor> before = new LinkedHashMap<>();
            trained.state().forEach((name, value) -> before.put(name, value.copy()));
            adapters.merge();
            try {
                writeAsItIs(folder, trained, dtype);
            } finally {
                adapters.unmerge(); // up to rounding, which would change the run
                trained.state()
                        .forEach(
                                (name, value) ->
                                        value.copyInPlace(
                                                Objects.requireNonNull(before.get(name))));
            }
        }
    }

    private void writeAsItIs(Path folder, Module trained, DType dtype) throws IOException {
        var writer = new CheckpointWriter(folder, pipeline);
        conditioning.write(writer, dtype);
        writer.network(network, trained, dtype);
        writer.scheduler(scheduler);
        defaults.write(folder);
        data.copyAutoencoder(writer);
        writer.finish();
    }

    /** Writes the result. */
    void finish(Path folder, Module trained) throws IOException {
        if (adapters != null) {
            adapters.save(folder.resolve(ADAPTERS));
        }
        write(folder, trained, config.savedDtype());
    }

    /** Writes pictures of the weights as they are, and the checkpoint that made them. */
    void show(long step, Path pictures, Module trained) throws IOException {
        Path checkpoint = pictures.resolveSibling("preview");
        write(checkpoint, trained, DType.FLOAT32);
        previews.write(
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
