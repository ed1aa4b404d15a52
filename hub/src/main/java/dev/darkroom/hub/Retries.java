package dev.darkroom.hub;

import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.time.Duration;
import java.util.function.Consumer;

/** Counts the failures of a request, and waits before it is made again: longer each time. */
final class Retries {
    private static final int MOST = 6;

    /** So much has to come for the count to begin anew. */
    static final long PROGRESS = 1 << 20;

    private final String what;
    private final Policy policy;
    private final Consumer<String> warn;
    private int failures;

    /**
     * How long is waited.
     *
     * @param first after the first failure; twice as long after each further one
     * @param longest that a hub may ask for
     */
    record Policy(Duration first, Duration longest) {}

    /** The hub asks to come later, such as by the status 429 or 503. */
    static final class BusyException extends IOException {
        private static final long serialVersionUID = 1;

        private final transient @Nullable Duration wait;

        BusyException(String message, @Nullable Duration wait) {
            super(message);
            this.wait = wait;
        }
    }

    /** Part of a request that may be made again. */
    @FunctionalInterface
    interface Attempt<T> {
        T run() throws IOException, InterruptedException;
    }

    /**
     * Begins a count.
     *
     * @param what is asked for, for messages
     */
    Retries(String what, Policy policy, Consumer<String> warn) {
        this.what = what;
        this.policy = policy;
        this.warn = warn;
    }

    /** Makes a request until it succeeds, or fails for good. */
    <T> T run(Attempt<T> attempt) throws IOException, InterruptedException {
        while (true) {
            try {
                return attempt.run();
            } catch (IOException e) {
                failed(e);
            }
        }
    }

    /** Forgets the failures, since much has come in between. */
    void progressed() {
        failures = 0;
    }

    /** Waits after a failure, or throws where another attempt has no use. */
    void failed(IOException e) throws HubException, InterruptedException {
        if (e instanceof HubException lasting) {
            throw lasting;
        }
        requireNotInterrupted(e);
        failures++;
        Duration wait = policy.first.multipliedBy(1L << (failures - 1));
        if (e instanceof BusyException busy && busy.wait != null) {
            wait = busy.wait;
            if (wait.compareTo(policy.longest) > 0) {
                throw new HubException(
                        Kind.RATE_LIMITED,
                        what
                                + ": the hub asks to wait for "
                                + wait.toSeconds()
                                + " s; try again then, or set HF_TOKEN, which allows more requests",
                        e);
            }
        }
        if (failures >= MOST) {
            boolean isBusy = e instanceof BusyException;
            throw new HubException(
                    isBusy ? Kind.RATE_LIMITED : Kind.UNREACHABLE,
                    what
                            + ": the hub "
                            + (isBusy ? "was too busy " : "could not be reached ")
                            + failures
                            + " times, the last time because "
                            + reason(e)
                            + "; try again later, what came so far is kept",
                    e);
        }
        warn.accept(what + ": " + reason(e) + "; trying again in " + seconds(wait));
        Thread.sleep(wait);
    }

    private static void requireNotInterrupted(IOException e) throws InterruptedException {
        boolean byInterrupt = e instanceof ClosedByInterruptException;
        for (Throwable cause = e; cause != null && !byInterrupt; cause = cause.getCause()) {
            byInterrupt = cause instanceof InterruptedException;
        }
        if (Thread.interrupted() || byInterrupt) {
            var interrupted = new InterruptedException("interrupted while downloading");
            interrupted.initCause(e);
            throw interrupted;
        }
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? "of " + e.getClass().getSimpleName() : e.getMessage();
    }

    private static String seconds(Duration wait) {
        return wait.toSeconds() > 0 ? wait.toSeconds() + " s" : wait.toMillis() + " ms";
    }
}
