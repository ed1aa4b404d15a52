package dev.darkroom.tests;

import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.libtorch.LibtorchException;
import dev.darkroom.training.run.TrainingException;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A use that is made to fail again and again. Each failure must be an exception of a known type and
 * leave nothing, and the next run give what the first one gave. What does not hold is a fault,
 * which is printed.
 */
final class Trial {
    private static final List<Class<?>> TYPED =
            List.of(
                    LibtorchException.class,
                    PipelineException.class,
                    TrainingException.class,
                    InsufficientMemoryException.class);

    private final String name;
    private final Uses.Use use;
    private final Class<? extends Throwable> alsoTyped;
    private final Object expected;
    private final Map<String, Integer> outcomes = new TreeMap<>();
    private long tensors;
    private long bytes;
    private int faults;
    private int failures;

    /** A trial whose failures are of the project's own types. */
    Trial(String name, Uses.Use use) throws Exception {
        this(name, use, LibtorchException.class);
    }

    /**
     * Runs the use twice, so that what is made once has been made.
     *
     * @param alsoTyped a type besides the project's own that a failure may have
     */
    Trial(String name, Uses.Use use, Class<? extends Throwable> alsoTyped) throws Exception {
        this.name = name;
        this.use = use;
        this.alsoTyped = alsoTyped;
        use.run();
        expected = use.run();
        tensors = Memory.liveTensors();
        bytes = Memory.liveBytes();
    }

    /**
     * Runs a use that is made to fail, and then the trial's own.
     *
     * @param failing most often the trial's own
     * @param begin makes it fail from now on, or soon
     * @param end lets it work again; allocates nothing
     */
    void attempt(String what, Uses.Use failing, Runnable begin, Runnable end) {
        Object result = expected;
        Throwable thrown = null;
        begin.run();
        try {
            result = failing.run();
        } catch (Throwable e) {
            thrown = e;
        } finally {
            end.run();
        }
        outcomes.merge(outcome(thrown), 1, Integer::sum);
        if (thrown != null) {
            failures++;
            if (!isTyped(thrown)) {
                fault(what, "untyped " + trace(thrown));
            }
        } else if (failing == use && !expected.equals(result)) {
            fault(what, "the failure went unnoticed and changed the result");
        }
        compare(what + ", " + outcome(thrown));
    }

    /** As above, of the trial's own use. */
    void attempt(String what, Runnable begin, Runnable end) {
        attempt(what, use, begin, end);
    }

    private void compare(String what) {
        if (Memory.liveTensors() != tensors || Memory.liveBytes() != bytes) {
            fault(
                    what,
                    (Memory.liveTensors() - tensors)
                            + " tensors and "
                            + (Memory.liveBytes() - bytes)
                            + " bytes are left");
            tensors = Memory.liveTensors();
            bytes = Memory.liveBytes();
        }
        try {
            if (!expected.equals(use.run())) {
                fault(what, "the next result differs");
            }
        } catch (Throwable e) {
            fault(what, "the next run fails: " + trace(e));
        }
    }

    /** Attempts that ended in an exception. */
    int failures() {
        return failures;
    }

    /** What did not hold. */
    int faults() {
        return faults;
    }

    /** How often attempts ended how. */
    @Override
    public String toString() {
        return name + ": " + outcomes + ", " + faults + " faults";
    }

    private boolean isTyped(Throwable thrown) {
        return TYPED.stream().anyMatch(type -> type.isInstance(thrown))
                || alsoTyped.isInstance(thrown);
    }

    private static String outcome(@Nullable Throwable thrown) {
        return thrown == null ? "no exception" : thrown.getClass().getSimpleName();
    }

    private void fault(String what, String fault) {
        faults++;
        System.out.println(name + ", " + what + ": " + fault);
    }

    private static String trace(Throwable e) {
        var text = new StringBuilder(e.toString());
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            for (StackTraceElement element : cause.getStackTrace()) {
                text.append("\n    ").append(element);
            }
            text.append("\n  from ").append(cause.getCause());
        }
        return text.toString();
    }
}
