package dev.darkroom.cli;

import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets Ctrl-C (and a polite kill) end a run in good order: the JVM goes down when this is closed,
 * not before, so that no file is left half written and no native thread is cut off.
 */
final class CtrlC implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 2;

    private final CountDownLatch ended = new CountDownLatch(1);
    private final Runnable cancel;
    private final String waiting;
    private final PrintWriter err;
    private final Thread hook = new Thread(this::end, "darkroom-ctrl-c");

    /**
     * @param cancel asks the run to end soon
     * @param waiting what to say if that takes long
     * @param err where that is printed
     */
    CtrlC(Runnable cancel, String waiting, PrintWriter err) {
        this.cancel = cancel;
        this.waiting = waiting;
        this.err = err;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void end() {
        cancel.run();
        try {
            if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                err.println("darkroom: " + waiting + " …");
                ended.await();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        ended.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is going down already, and now may.
        }
    }
}
