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

/**
 * Lets the n-th call of the shim fail, for every n, while a checkpoint is loaded, a picture sampled
 * and a step trained. The main method of a JVM whose shim is {@code native/tests/failing.c}.
 */
@SuppressWarnings("restricted")
final class FailingCalls {
    /** libtorch's exhausted memory, and a failure of no special kind. */
    private static final int[] CODES = {3, 1};

    private static final int REPORT_EVERY = 500;

    private final MethodHandle fail;
    private final MethodHandle calls;
    private final double seconds;
    private int faults;

    private FailingCalls(Path library, double seconds) {
        Diagnosis.loaded(); // what the library needs
        SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
        var linker = Linker.nativeLinker();
        fail =
                linker.downcallHandle(
                        symbols.find("dr_fail_call").orElseThrow(),
                        FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        calls =
                linker.downcallHandle(
                        symbols.find("dr_calls").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_LONG));
        this.seconds = seconds;
    }

    /** Arguments: the case of a checkpoint, seconds for each use (every n if 0), names of uses. */
    public static void main(String[] arguments) throws Exception {
        Threads.set(1);
        var attack =
                new FailingCalls(
                        Path.of(System.getProperty("darkroom.shim")),
                        Double.parseDouble(arguments[1]));
        try (var uses = new Uses(Path.of(arguments[0]), Path.of("").toAbsolutePath())) {
            for (String name : List.of(arguments).subList(2, arguments.length)) {
                attack.run(name, uses.named(name));
            }
        }
        System.exit(attack.faults == 0 ? 0 : 1);
    }

    private void run(String name, Uses.Use use) throws Exception {
        var trial = new Trial(name, use);
        long begin = System.nanoTime();
        failCall(0, 0);
        use.run();
        long all = calls();
        double time = (System.nanoTime() - begin) / 1e9;
        // A failure and the run after it take two runs' time at most.
        long step = seconds == 0 ? 1 : 1 + (long) (2 * time * all / seconds);
        int failed = 0;
        for (long n = 1 + step / 2; n <= all; n += step) {
            failed++;
            long call = n;
            int code = CODES[failed % CODES.length];
            trial.attempt("call " + n, () -> failCall(call, code), () -> failCall(0, 0));
            if (failed % REPORT_EVERY == 0) {
                System.out.println(n + " of " + all + " calls, " + trial);
            }
        }
        System.out.println(
                name + ": " + all + " native calls, " + failed + " failed one by one; " + trial);
        faults += trial.faults();
    }

    private void failCall(long n, int code) {
        try {
            fail.invokeExact(n, code);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private long calls() {
        try {
            return (long) calls.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
