package dev.darkroom.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Lets Ctrl-C (and a polite kill) end a run in good order: the JVM goes down when this is closed,
 * not before, so that no file is left half written and no native thread is cut off.
 */
final class CtrlC implements AutoCloseable {
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread hook;

    /**
     * @param cancel asks the run to end soon
     */
    CtrlC(Runnable cancel) {
        hook =
                new Thread(
                        () -> {
                            cancel.run();
                            try {
                                ended.await();
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        },
                        "darkroom-ctrl-c");
        Runtime.getRuntime().addShutdownHook(hook);
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
