package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.Main;
import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * A process that is killed at a random moment, while it unpacks or writes pictures, leaves whole
 * files or none, and what it had begun goes with the next one. A few kills in every build; {@code
 * -Ddarkroom.attack.kills} asks for more. ({@code KillTest} kills training.)
 */
class KilledTest {
    private static final int KILLS = Integer.getInteger("darkroom.attack.kills", 4);
    private static final int FILES = 60;
    private static final int BYTES = 100_000;
    private static final Path NAME = Path.of("kind", "name");
    private static final String BEGIN = "begin";
    private static final int PICTURES = 6;

    @TempDir private Path folder;
    private final Random random = new Random(13);

    /** Files below a folder by their names there. */
    private static TreeMap<String, byte[]> files(Path folder) throws IOException {
        var files = new TreeMap<String, byte[]>();
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                files.put(folder.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return files;
    }

    private static Process start(String option, Class<?> main, String... arguments)
            throws IOException {
        List<String> options = List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", option);
        return Child.jvm(options, main.getName(), List.of(arguments)).start();
    }

    // ---- Unpacking ----

    /** Unpacks into the cache, in a process of its own. */
    static final class Unpacking {
        public static void main(String[] arguments) throws IOException {
            unpack(() -> System.out.println(BEGIN));
        }

        static Path unpack(Runnable begun) throws IOException {
            return Cache.folder(
                    NAME,
                    to -> {
                        begun.run();
                        for (int i = 0; i < FILES; i++) {
                            var bytes = new byte[BYTES];
                            Arrays.fill(bytes, (byte) i);
                            Files.write(to.resolve("file" + i), bytes);
                        }
                    });
        }
    }

    @Test
    void unpackingIsDoneAgainAndNothingStaleStays() throws Exception {
        Path root = folder.resolve("cache");
        String option = "-Ddarkroom.cache=" + root;
        long time = unpackAndKill(option, Long.MAX_VALUE);
        var expected = files(root.resolve(NAME));
        assertEquals(FILES + 1, expected.size());
        int inside = 0;
        for (int i = 0; i < KILLS; i++) {
            Files.delete(root.resolve(NAME).resolve(".manifest")); // damaged: unpacked again
            unpackAndKill(option, random.nextLong(time));
            inside += Files.exists(root.resolve(NAME).resolve(".manifest")) ? 0 : 1;
            System.setProperty("darkroom.cache", root.toString());
            try {
                Unpacking.unpack(() -> {});
            } finally {
                System.clearProperty("darkroom.cache");
            }
            var found = files(root);
            assertEquals(FILES + 2, found.size(), found.keySet().toString()); // and the lock
            for (String file : expected.keySet()) {
                if (!file.equals(".manifest")) {
                    assertArrayEquals(expected.get(file), found.get(NAME.resolve(file).toString()));
                }
            }
        }
        System.out.println(KILLS + " kills of unpacking, " + inside + " before it was done");
        assertTrue(inside > 0);
    }

    /** Returns how long it took from its beginning. */
    private static long unpackAndKill(String option, long nanos) throws Exception {
        Process process = start(option, Unpacking.class);
        try (var out = process.inputReader()) {
            for (String line = out.readLine(); !BEGIN.equals(line); line = out.readLine()) {
                assertTrue(line != null, "ended before it began");
            }
            long begin = System.nanoTime();
            process.waitFor(nanos, TimeUnit.NANOSECONDS);
            process.destroyForcibly(); // SIGKILL
            process.waitFor();
            return System.nanoTime() - begin;
        }
    }

    // ---- Sampling ----

    @Test
    void picturesAreWholeOrNotThere() throws Exception {
        Path out = Files.createDirectory(folder.resolve("undisturbed"));
        long time = sampleAndKill(out, Long.MAX_VALUE);
        var expected = files(out);
        assertEquals(PICTURES, expected.size());
        Path killed = Files.createDirectory(folder.resolve("killed"));
        int some = 0;
        for (int i = 0; i < KILLS; i++) {
            for (String file : files(killed).keySet()) {
                Files.delete(killed.resolve(file));
            }
            // At any time, or, each other time, from the first picture on.
            sampleAndKill(killed, i % 2 == 0 ? random.nextLong(time) : -random.nextLong(time / 50));
            var found = files(killed);
            for (var file : found.entrySet()) {
                if (file.getKey().startsWith(".darkroom-")) {
                    // As if it were of yesterday; the last run below sweeps it.
                    Files.setLastModifiedTime(
                            killed.resolve(file.getKey()), FileTime.fromMillis(0));
                } else {
                    assertArrayEquals(expected.get(file.getKey()), file.getValue());
                }
            }
            some += found.size() > 0 && found.size() < PICTURES ? 1 : 0;
            if (found.keySet().stream().anyMatch(file -> file.startsWith("."))) {
                sampleAndKill(killed, Long.MAX_VALUE);
                assertEquals(expected.keySet(), files(killed).keySet());
            }
        }
        System.out.println(KILLS + " kills of sampling, " + some + " between two pictures");
    }

    /**
     * Returns how long it took.
     *
     * @param nanos when it is killed; if negative, after the first picture
     */
    private static long sampleAndKill(Path out, long nanos) throws Exception {
        long begin = System.nanoTime();
        Process process =
                start(
                        "-Xmx256m",
                        Main.class,
                        "sample",
                        "a dog",
                        "--model",
                        Cases.model("pixart_alpha"),
                        "--seed",
                        "3",
                        "--batch",
                        Integer.toString(PICTURES),
                        "--steps",
                        "1",
                        "--width",
                        "64",
                        "--height",
                        "64",
                        "--no-binning",
                        "--quiet",
                        "--threads",
                        "1",
                        "--weights-hash",
                        "none",
                        "--out",
                        out.resolve("picture-{index}.png").toString());
        if (nanos >= 0) {
            process.waitFor(nanos, TimeUnit.NANOSECONDS);
        } else {
            while (process.isAlive()
                    && Stream.of(out.toFile().list()).allMatch(KilledTest::hidden)) {
                LockSupport.parkNanos(100_000);
            }
            process.waitFor(-nanos, TimeUnit.NANOSECONDS);
        }
        process.destroyForcibly(); // SIGKILL
        process.waitFor();
        return System.nanoTime() - begin;
    }

    private static boolean hidden(String file) {
        return file.startsWith(".");
    }
}
