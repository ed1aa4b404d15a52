package dev.darkroom.tests;

import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Threads;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * Lets memory run out at random moments: Java's heap, or one of libtorch's allocations. The main
 * method of a JVM with a small heap.
 */
@SuppressWarnings("restricted")
final class ScarceMemory {
    /** Heaps this small are full within a request; each object is allocated by itself. */
    static final List<String> HEAP_OPTIONS = List.of("-Xmx32m", "-XX:+UseSerialGC", "-XX:-UseTLAB");

    static final List<String> NATIVE_OPTIONS = List.of("-Xmx256m", "-XX:+UseSerialGC");

    private static final Linker LINKER = Linker.nativeLinker();
    private static final int ATTEMPTS_FOR_A_FAILURE = 10;

    private final int failures;
    private final Random random;
    private int faults;

    private ScarceMemory(int failures, long seed) {
        this.failures = failures;
        random = new Random(seed);
    }

    /** Arguments: what runs out, a checkpoint, how many failures, a seed, a use. */
    public static void main(String[] arguments) throws Exception {
        Diagnosis.loaded();
        Threads.set(1);
        var scarce = new ScarceMemory(Integer.parseInt(arguments[2]), Long.parseLong(arguments[3]));
        try (var uses = new Uses(Path.of(arguments[1]), Path.of("").toAbsolutePath())) {
            String name = arguments[4];
            switch (arguments[0]) {
                case "heap" -> scarce.heap(name, uses.named(name));
                case "allocations" -> scarce.allocations(name, uses.named(name));
                default -> throw new IllegalArgumentException(arguments[0]);
            }
        }
        System.exit(scarce.faults == 0 ? 0 : 1);
    }

    private void end(String what, Trial trial) {
        System.out.println(what + ": " + trial);
        faults += trial.faults();
        if (trial.failures() < failures) {
            System.out.println("only " + trial.failures() + " failures");
            faults++;
        }
    }

    private static long time(Uses.Use use) throws Exception {
        long begin = System.nanoTime();
        use.run();
        return System.nanoTime() - begin;
    }

    // ---- Java's heap ----

    private void heap(String name, Uses.Use use) throws Exception {
        var trial = new Trial(name, use, OutOfMemoryError.class);
        var ballast = new Ballast();
        long time = time(use);
        for (int i = 0; i < ATTEMPTS_FOR_A_FAILURE * failures && trial.failures() < failures; i++) {
            long delay = random.nextLong(time);
            trial.attempt(
                    "heap full after " + delay / 1000 + " us",
                    () -> ballast.fillAfter(delay),
                    ballast::end);
        }
        end("Java's heap", trial);
    }

    // ---- libtorch's allocations ----

    private void allocations(String name, Uses.Use use) throws Exception {
        SymbolLookup symbols =
                SymbolLookup.libraryLookup(
                        Path.of(System.getProperty("darkroom.scarce")), Arena.global());
        MethodHandle fail =
                LINKER.downcallHandle(
                        symbols.find("dr_fail_allocation").orElseThrow(),
                        FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
        MethodHandle count =
                LINKER.downcallHandle(
                        symbols.find("dr_allocations").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_LONG));
        var trial = new Trial(name, use);
        failAllocation(fail, 0);
        use.run();
        long all = call(count);
        for (int i = 0; i < ATTEMPTS_FOR_A_FAILURE * failures && trial.failures() < failures; i++) {
            long n = 1 + random.nextLong(all);
            trial.attempt(
                    "allocation " + n + " of " + all,
                    () -> failAllocation(fail, n),
                    () -> failAllocation(fail, 0));
        }
        end(all + " allocations of libtorch", trial);
    }

    private static void failAllocation(MethodHandle fail, long n) {
        try {
            fail.invokeExact(n);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static long call(MethodHandle count) {
        try {
            return (long) count.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** A thread that fills Java's heap at a moment, and keeps it full until it is ended. */
    private static final class Ballast extends Thread {
        private static final int LARGEST = 1 << 16;
        private static final int SMALLEST = 16;

        /** How many of the largest pieces are free until the moment. */
        private static final int RESERVE = 16;

        private volatile long at;
        private volatile boolean filling;

        /** How often the heap was to be filled, and has been. */
        private volatile int asked;

        private volatile int done;

        private Object[] pieces = {null};

        Ballast() {
            super("ballast");
            setDaemon(true);
            start();
        }

        /** Leaves little now, and nothing after a time. */
        void fillAfter(long nanos) {
            try {
                while (true) {
                    add(LARGEST);
                }
            } catch (OutOfMemoryError e) {
                for (int i = 0; i < RESERVE && pieces[0] != null; i++) {
                    pieces = (Object[]) pieces[0];
                }
            }
            at = System.nanoTime() + nanos;
            filling = true;
            asked = done + 1;
        }

        /** Gives the heap back; allocates nothing. */
        void end() {
            filling = false;
            while (done != asked) {
                Thread.onSpinWait();
            }
            while (pieces[0] != null) {
                pieces = (Object[]) pieces[0];
            }
        }

        @Override
        public void run() {
            while (true) {
                while (done == asked) {
                    Thread.yield();
                }
                while (filling && System.nanoTime() < at) {
                    Thread.onSpinWait();
                }
                fill();
                done = asked;
            }
        }

        private void fill() {
            int size = LARGEST;
            while (filling) {
                try {
                    add(size);
                } catch (OutOfMemoryError e) {
                    size = Math.max(SMALLEST, size / 2);
                }
            }
        }

        private void add(int bytes) {
            var piece = new Object[bytes / Integer.BYTES];
            piece[0] = pieces;
            pieces = piece;
        }
    }
}
