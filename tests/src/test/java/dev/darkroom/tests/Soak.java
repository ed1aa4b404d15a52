package dev.darkroom.tests;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Makes pictures of changing prompts, sizes and numbers, and loads and closes pipelines, while it
 * measures what the process holds. The main method of a JVM with {@link #OPTIONS}.
 */
final class Soak {
    /** A heap that is there from the start and threads that stay: what grows is native memory. */
    static final List<String> OPTIONS =
            List.of(
                    "-Xms128m",
                    "-Xmx128m",
                    "-XX:+AlwaysPreTouch",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-XX:-UseDynamicNumberOfCompilerThreads");

    private static final int WARM_UP = 250;
    private static final int MEASUREMENTS = 20;

    /** After this many, what is made once and what the allocator spreads out is there. */
    private static final int LONG = 4 * WARM_UP;

    /** From the warm-up to the end; in a short run some of that is still to come. */
    private static final double GROWTH = 0.01;

    private static final double SHORT_GROWTH = 0.05;
    private static final int SHORT_MAPS = 32;
    private static final int PATIENCE = 50;
    private static final int SETTLING = 10;

    private static final long PAUSE_MILLIS = 100;

    /** What the process holds at a moment. */
    private record Held(
            int done,
            long residentKib,
            long nativeBytes,
            long tensors,
            long heapBytes,
            long threads,
            long descriptors,
            long files,
            long maps) {
        static Held now(int done) throws IOException {
            System.gc();
            List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
            return new Held(
                    done,
                    readResident(),
                    Memory.liveBytes(),
                    Memory.liveTensors(),
                    Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory(),
                    count("/proc/self/task"),
                    count("/proc/self/fd"),
                    maps.stream().filter(map -> map.indexOf('/') >= 0).count(),
                    maps.size());
        }

        private static long readResident() throws IOException {
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
                return lines.filter(line -> line.startsWith("VmRSS:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                        .findFirst()
                        .orElseThrow();
            }
        }

        private static long count(String folder) throws IOException {
            try (Stream<Path> entries = Files.list(Path.of(folder))) {
                return entries.count();
            }
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%6d: %d KiB resident, %d native bytes in %d tensors, %d KiB of Java's heap,"
                            + " %d threads, %d descriptors, %d mapped files, %d maps",
                    done,
                    residentKib,
                    nativeBytes,
                    tensors,
                    heapBytes >> 10,
                    threads,
                    descriptors,
                    files,
                    maps);
        }
    }

    /** What is done again and again. */
    @FunctionalInterface
    private interface Use {
        void run(int i);
    }

    private final Path model;
    private final List<String> faults = new ArrayList<>();

    private Soak(Path model) {
        this.model = model;
    }

    /** Arguments: a checkpoint of PixArt, how many pictures, how many loads. */
    public static void main(String[] arguments) throws Exception {
        var soak = new Soak(Path.of(arguments[0]));
        soak.pictures(Integer.parseInt(arguments[1]));
        soak.run("loads", Integer.parseInt(arguments[2]), soak::load);
        soak.faults.forEach(System.out::println);
        System.exit(soak.faults.isEmpty() ? 0 : 1);
    }

    private Pipeline open(int threads) {
        return Pipeline.load(model, PipelineOptions.defaults().withThreads(threads));
    }

    /** With a picture, so that each pipeline's thread has had a team of native threads. */
    private void load(int i) {
        try (var pipeline = open(2)) {
            picture(pipeline, i);
        }
    }

    private void pictures(int count) throws IOException, InterruptedException {
        try (var pipeline = open(1)) {
            ByteBuffer first = picture(pipeline, 0);
            run(
                    "pictures",
                    count,
                    i -> {
                        picture(pipeline, i);
                        if (i % WARM_UP == 0 && !picture(pipeline, 0).equals(first)) {
                            faults.add("the first picture differs after " + i);
                        }
                    });
        }
    }

    private static ByteBuffer picture(Pipeline pipeline, int i) {
        var request =
                SampleRequest.builder()
                        .prompt("picture " + i)
                        .seed(i)
                        .steps(1 + i % 3)
                        .width(8 * (1 + i % 3))
                        .height(8 * (1 + i % 4))
                        .batch(1 + i % 2)
                        .maxTokens(8 + i % 17)
                        .binning(false)
                        .build();
        return ByteBuffer.wrap(pipeline.sample(request).pictures().getLast().rgb());
    }

    private void run(String name, int count, Use use) throws IOException, InterruptedException {
        int warmUp = Math.min(WARM_UP, count / 2);
        System.out.println(count + " " + name);
        Held before = null;
        Held now = null;
        for (int i = 1; i <= count; i++) {
            use.run(i);
            if (i == warmUp || i == count || i % Math.max(1, count / MEASUREMENTS) == 0) {
                now = i == warmUp ? settled(i) : Held.now(i);
                System.out.println(now);
                before = i == warmUp ? now : before;
            }
        }
        for (int wait = 0; wait < PATIENCE && now.threads > before.threads; wait++) {
            Thread.sleep(PAUSE_MILLIS); // those of the last pipeline are ending
            now = Held.now(count);
        }
        compare(name, before, now, count >= LONG);
    }

    /** What is held when the threads of the last pipeline, which are ending, have ended. */
    private static Held settled(int done) throws IOException, InterruptedException {
        Held least = Held.now(done);
        for (int wait = 0; wait < SETTLING; wait++) {
            Thread.sleep(PAUSE_MILLIS);
            Held now = Held.now(done);
            least = now.threads < least.threads ? now : least;
        }
        return least;
    }

    private void compare(String name, Held before, Held after, boolean isLong) {
        double growth = (double) after.residentKib / before.residentKib - 1;
        System.out.printf(Locale.ROOT, "%s: %+.2f %% of resident memory%n", name, 100 * growth);
        same(name + ": native bytes", before.nativeBytes, after.nativeBytes);
        same(name + ": tensors", before.tensors, after.tensors);
        same(name + ": threads", before.threads, after.threads);
        same(name + ": descriptors", before.descriptors, after.descriptors);
        same(name + ": mapped files", before.files, after.files);
        if (isLong || after.maps > before.maps + SHORT_MAPS) {
            same(name + ": maps", before.maps, after.maps);
        }
        if (growth > (isLong ? GROWTH : SHORT_GROWTH)) {
            faults.add(name + ": more resident memory");
        }
    }

    private void same(String what, long before, long after) {
        if (before != after) {
            faults.add(what + ": " + before + " became " + after);
        }
    }
}
