package dev.darkroom.training.stage;

import static dev.darkroom.models.config.Option.require;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.training.run.RunOptions;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * What all stages with steps share.
 *
 * @param seed of weights, order, noise and timesteps
 * @param steps of the optimizer
 * @param batch samples in a part of a step
 * @param accumulation parts of a step
 * @param dtype of the weights in use; other types than float32 have float32 masters
 * @param savedDtype of the weights in the result
 * @param device where it computes
 * @param saveEvery steps between checkpoints
 * @param showEvery steps between samples; 0 for none
 * @param skipLimit so many steps in a row that are not finite end the run
 * @param optimizer see there
 * @param all every value of the config, by its path
 */
record TrainingConfig(
        long seed,
        long steps,
        int batch,
        int accumulation,
        DType dtype,
        DType savedDtype,
        Device device,
        long saveEvery,
        long showEvery,
        int skipLimit,
        OptimizerConfig optimizer,
        Map<String, String> all) {
    TrainingConfig {
        require(batch >= 1, "batch", batch);
        require(steps >= 1, "steps", steps);
    }

    static TrainingConfig of(ConfigReader json) {
        return new TrainingConfig(
                json.integer("seed", 0),
                json.integer("steps", 1000),
                json.integer("batch", 16),
                json.integer("accumulation", 1),
                dtype(json.text("dtype", "float32")),
                dtype(json.text("savedDtype", "float32")),
                Device.parse(json.text("device", "cpu")),
                json.integer("saveEvery", 500),
                json.integer("showEvery", 500),
                json.integer("skipLimit", 20),
                json.section("optimizer", OptimizerConfig::of),
                json.flattened());
    }

    private static DType dtype(String name) {
        return Arrays.stream(DType.values())
                .filter(type -> type.toString().equals(name))
                .filter(type -> type.isFloatingPoint() && type.bytes() > 1)
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "weights are float32, bfloat16 or float16, not " + name));
    }

    RunOptions runOptions() {
        return new RunOptions(
                seed,
                steps,
                accumulation,
                optimizer.clip(),
                optimizer.schedule(steps),
                saveEvery,
                showEvery,
                skipLimit);
    }

    /**
     * Returns all that the result depends on.
     *
     * @param inputs besides the config, such as the hash of the data
     */
    Map<String, String> identity(Map<String, String> inputs) {
        var identity = new TreeMap<>(all);
        // How often something is saved or shown, and where inputs lie, changes no weight.
        identity.keySet()
                .removeIf(
                        key ->
                                key.startsWith("samples.")
                                        || key.equals("saveEvery")
                                        || key.equals("showEvery")
                                        || key.equals("skipLimit")
                                        || inputs.containsKey(key));
        identity.putAll(inputs);
        return identity;
    }
}
