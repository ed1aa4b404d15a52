package dev.darkroom.training.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.Sha256;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Where a run is. Generators need no state of their own, since each step seeds them from the run's
 * seed and its number; the data's cursor is the number of samples.
 *
 * @param step how many steps were taken
 * @param samples that were used up
 * @param skipped steps without a finite loss and gradient
 * @param skippedInARow how many of them were the last ones
 * @param threads native threads that it ran with
 * @param kernels how operators were computed; empty in checkpoints of before that was noted
 * @param config everything that the result depends on, by name
 */
record RunState(
        long step,
        long samples,
        long skipped,
        int skippedInARow,
        int threads,
        String kernels,
        Map<String, String> config) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    byte[] toJson() throws IOException {
        ObjectNode json = JSON.createObjectNode();
        json.put("step", step).put("samples", samples);
        json.put("skipped", skipped).put("skippedInARow", skippedInARow);
        json.put("threads", threads).put("kernels", kernels);
        json.put("configSha256", configHash());
        json.set("config", JSON.valueToTree(config));
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json);
    }

    static RunState read(Path file) throws IOException {
        JsonNode json = JSON.readTree(Files.readAllBytes(file));
        var config = new LinkedHashMap<String, String>();
        json.path("config")
                .properties()
                .forEach(each -> config.put(each.getKey(), each.getValue().asText()));
        return new RunState(
                json.path("step").asLong(),
                json.path("samples").asLong(),
                json.path("skipped").asLong(),
                json.path("skippedInARow").asInt(),
                json.path("threads").asInt(),
                json.path("kernels").asText(),
                config);
    }

    private String configHash() {
        var sha = new Sha256();
        config.forEach((name, value) -> sha.addAll(name, value));
        return sha.hex();
    }

    /**
     * Refuses to go on with another config.
     *
     * @throws TrainingException that names what differs
     */
    void requireConfig(Path checkpoint, Map<String, String> current) {
        var names = new TreeSet<>(config.keySet());
        names.addAll(current.keySet());
        List<String> differences = new ArrayList<>();
        for (String name : names) {
            String before = config.getOrDefault(name, "missing");
            String now = current.getOrDefault(name, "missing");
            if (!before.equals(now)) {
                differences.add(name + " was " + before + " and is " + now);
            }
        }
        if (!differences.isEmpty()) {
            throw new TrainingException(
                    "the run in "
                            + checkpoint
                            + " can't go on with another config: "
                            + String.join("; ", differences)
                            + ". Use the old config, or another folder for a new run");
        }
    }
}
