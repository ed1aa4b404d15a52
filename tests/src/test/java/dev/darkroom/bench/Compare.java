package dev.darkroom.bench;

import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.safetensors.LoadMode;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToDoubleFunction;

/**
 * Times the same calls from Java, from Python's torch, from C++ and from C++ through the shim, in
 * turns, so that whatever else the machine does meets all of them. Prints medians, and Java's as
 * ratios of the others'. One native thread each.
 *
 * <p>{@code -Dbench.python} is a Python with torch and safetensors, {@code -Dbench.native} the
 * folder with bench_typed and bench_generic, {@code -Dbench.script} Python's part.
 */
public final class Compare {
    private static final ThreadMXBean THREAD = ManagementFactory.getThreadMXBean();
    private static final Set<String> NOT_IN_CPP = Set.of("load");

    private interface Loop {
        void run(long calls) throws IOException;
    }

    private record Work(String name, String what, long calls, int warmUp, int rounds, Loop java) {}

    private interface Timer {
        Time time(Work work) throws IOException;
    }

    private Compare() {}

    public static void main(String[] args) throws IOException {
        Path file = LoadBenchmark.write();
        try {
            compare(file);
        } finally {
            Files.delete(file);
        }
    }

    private static void compare(Path file) throws IOException {
        Threads.set(1);
        Diagnosis.Loaded libtorch = Objects.requireNonNull(Diagnosis.make().libtorch());
        String libraries = libtorch.shim().getParent() + ":" + libtorch.directory();
        Path programs = Path.of(System.getProperty("bench.native"), "cmake-" + libtorch.version());
        String script = System.getProperty("bench.script");
        String interpreter = System.getProperty("bench.python");
        try (var python = new Peer("", interpreter, script, file.toString());
                var cpp = new Peer(libraries, programs.resolve("bench_typed").toString());
                var shim = new Peer(libraries, programs.resolve("bench_generic").toString())) {
            System.out.printf(
                    "Java %s, libtorch %s%nPython: %s%nC++: %s%nshim: %s%n%n",
                    Runtime.version(),
                    libtorch.version(),
                    python.description(),
                    cpp.description(),
                    shim.description());
            System.out.printf(
                    "%-36s %9s %9s %9s %9s %8s %8s %8s%n",
                    "median", "Java", "Python", "C++", "shim", "/Python", "/C++", "/shim");
            var benchmark = new OperatorBenchmark();
            for (Work work : works(benchmark, file)) {
                Map<String, Timer> timers = new LinkedHashMap<>();
                timers.put("java", Compare::timeJava);
                timers.put("python", w -> python.time(w.name, w.calls));
                if (!NOT_IN_CPP.contains(work.name)) {
                    timers.put("cpp", w -> cpp.time(w.name, w.calls));
                    timers.put("shim", w -> shim.time(w.name, w.calls));
                }
                print(work, measure(work, timers));
            }
            benchmark.close();
        }
        printThreads(8, 200_000);
    }

    /** Adds on several threads at once: processor time tells what they cost each other. */
    private static void printThreads(int count, int calls) {
        var cpu = new AtomicLong();
        Runnable adding =
                () -> {
                    var benchmark = new OperatorBenchmark();
                    benchmark.setThreads();
                    long start = THREAD.getCurrentThreadCpuTime();
                    for (int i = 0; i < calls; i++) {
                        benchmark.add();
                    }
                    cpu.addAndGet(THREAD.getCurrentThreadCpuTime() - start);
                    benchmark.close();
                };
        long start = System.nanoTime();
        try (var threads = Executors.newFixedThreadPool(count)) {
            for (int i = 0; i < count; i++) {
                threads.execute(adding);
            }
        }
        double taken = System.nanoTime() - start;
        double all = (double) count * calls;
        System.out.printf(
                "add 16x16 on %d threads at once, %d processors: %.0f ns of CPU a call,"
                        + " %.2f million calls a second%n",
                count,
                Runtime.getRuntime().availableProcessors(),
                cpu.get() / all,
                all / taken * 1000);
    }

    private static List<Work> works(OperatorBenchmark benchmark, Path file) {
        return List.of(
                new Work(
                        "add",
                        "add 16x16, ns",
                        10_000,
                        30,
                        101,
                        calls -> {
                            for (long i = 0; i < calls; i++) {
                                benchmark.add();
                            }
                        }),
                new Work(
                        "linear",
                        "linear 64x256x256, ns",
                        200,
                        10,
                        101,
                        calls -> {
                            for (long i = 0; i < calls; i++) {
                                benchmark.linear();
                            }
                        }),
                new Work(
                        "reshape",
                        "reshape, ns",
                        10_000,
                        30,
                        101,
                        calls -> {
                            for (long i = 0; i < calls; i++) {
                                benchmark.reshape();
                            }
                        }),
                new Work(
                        "load",
                        "load and sum 1 GiB, ns",
                        1,
                        1,
                        5,
                        calls -> {
                            for (long i = 0; i < calls; i++) {
                                LoadBenchmark.sum(file, LoadMode.MAPPED);
                            }
                        }));
    }

    private static Time timeJava(Work work) throws IOException {
        long wall = System.nanoTime();
        long cpu = THREAD.getCurrentThreadCpuTime();
        work.java.run(work.calls);
        cpu = THREAD.getCurrentThreadCpuTime() - cpu;
        wall = System.nanoTime() - wall;
        return new Time((double) wall / work.calls, (double) cpu / work.calls);
    }

    private static Map<String, List<Time>> measure(Work work, Map<String, Timer> timers)
            throws IOException {
        Map<String, List<Time>> times = new LinkedHashMap<>();
        for (int round = -work.warmUp; round < work.rounds; round++) {
            for (var timer : timers.entrySet()) {
                Time time = timer.getValue().time(work);
                if (round >= 0) {
                    times.computeIfAbsent(timer.getKey(), who -> new ArrayList<>()).add(time);
                }
            }
        }
        return times;
    }

    private static void print(Work work, Map<String, List<Time>> times) {
        printRow(work.what + " of CPU", times, Time::cpu);
        printRow(work.what + " of wall clock", times, Time::wall);
    }

    private static void printRow(
            String what, Map<String, List<Time>> times, ToDoubleFunction<Time> part) {
        double java = 0;
        var values = new StringBuilder();
        var ratios = new StringBuilder();
        for (String who : List.of("java", "python", "cpp", "shim")) {
            List<Time> measured = times.getOrDefault(who, List.of());
            if (measured.isEmpty()) {
                values.append("         -");
                ratios.append("        -");
                continue;
            }
            double median =
                    measured.stream().mapToDouble(part).sorted().toArray()[measured.size() / 2];
            values.append(" %9.0f".formatted(median));
            if (who.equals("java")) {
                java = median;
            } else {
                ratios.append(" %8.2f".formatted(java / median));
            }
        }
        System.out.printf("%-36s%s%s%n", what, values, ratios);
    }
}
