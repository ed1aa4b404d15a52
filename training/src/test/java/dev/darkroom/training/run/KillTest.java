package dev.darkroom.training.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.runtime.DType;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/**
 * Kills a training process over and over, and compares what comes out with an undisturbed run. 30
 * times in every build; {@code -Ddarkroom.attack.kills} says otherwise.
 */
class KillTest {
    private static final int KILLS = Integer.getInteger("darkroom.attack.kills", 30);

    /** Events between two checkpoints: steps, and moments between two writes. */
    private static final int EVENTS_OF_A_SAVE = 9;

    @TempDir private Path folder;

    @Test
    @Timeout(value = 60, unit = TimeUnit.MINUTES)
    void killedAtRandomPointsItEndsAsIfNothingHadHappened() throws Exception {
        Path undisturbed = folder.resolve("undisturbed");
        try (var task = new TinyTask(DType.BFLOAT16)) {
            new Trainer(
                            undisturbed,
                            Map.of("seed", "5"),
                            TrainingProcess.options(),
                            RunListener.NONE)
                    .run(task);
        }
        Path killed = folder.resolve("killed");
        var random = new Random(11);
        long safe = 0; // the last step that was told to be safe
        int kills = 0;
        int insideASave = 0;
        while (!Files.exists(killed.resolve("finished"))) {
            // Some twelve events are a checkpoint's steps and writes: each life gains a few steps.
            long killAt =
                    kills == KILLS
                            ? 0
                            : 1
                                    + random.nextInt(
                                            2 * (TrainingProcess.SAVE_EVERY + EVENTS_OF_A_SAVE));
            List<String> said = live(killed, killAt);
            long resumed = last(said, "resumed ");
            assertTrue(resumed >= safe, "resumed at " + resumed + " after " + safe + " was safe");
            safe = Math.max(resumed, last(said, "saved "));
            if (killAt > 0) {
                kills++;
                assertFalse(Files.exists(killed.resolve("finished")));
                if (last(said, "stepped ") > safe
                        && last(said, "stepped ") % TrainingProcess.SAVE_EVERY == 0) {
                    insideASave++;
                }
            }
        }
        assertEquals(KILLS, kills);
        assertTrue(insideASave >= 5, insideASave + " kills inside a save");
        for (String file : List.of("result.safetensors", "average.safetensors")) {
            assertArrayEquals(
                    Files.readAllBytes(undisturbed.resolve(file)),
                    Files.readAllBytes(killed.resolve(file)),
                    file);
        }
        assertEquals(
                LongStream.rangeClosed(1, TrainingProcess.STEPS).boxed().toList(), steps(killed));
        assertEquals(
                List.of(
                        "step-" + (TrainingProcess.STEPS - TrainingProcess.SAVE_EVERY),
                        "step-" + TrainingProcess.STEPS),
                checkpoints(killed));
    }

    /** One process, until it ends or is killed. */
    private static List<String> live(Path folder, long killAt) throws Exception {
        Process process =
                Child.jvm(
                                List.of(
                                        "-XX:TieredStopAtLevel=1",
                                        "-Xshare:auto",
                                        "-Xmx128m",
                                        "-Ddarkroom.attack.kills=" + KILLS),
                                TrainingProcess.class.getName(),
                                List.of(folder.toString(), Long.toString(killAt)))
                        .start();
        List<String> said = new ArrayList<>();
        try (BufferedReader out = process.inputReader()) {
            out.lines().forEach(said::add);
        }
        int exit = process.waitFor();
        assertEquals(killAt > 0 ? 128 + 9 : 0, exit, () -> String.join("\n", said));
        return said;
    }

    private static long last(List<String> said, String what) {
        return said.stream()
                .filter(line -> line.startsWith(what))
                .mapToLong(line -> Long.parseLong(line.substring(what.length())))
                .max()
                .orElse(0);
    }

    private static List<Long> steps(Path folder) throws IOException {
        var json = new ObjectMapper();
        List<Long> steps = new ArrayList<>();
        for (String line : Files.readAllLines(Trainer.log(folder))) {
            steps.add(json.readTree(line).get("step").asLong());
        }
        return steps;
    }

    private static List<String> checkpoints(Path folder) throws IOException {
        try (var files = Files.list(folder.resolve("training/checkpoints"))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
