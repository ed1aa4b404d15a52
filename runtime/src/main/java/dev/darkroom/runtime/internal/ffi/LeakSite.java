package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.lang.ref.Cleaner;

/**
 * Where a tensor was made, recorded with {@code -Ddarkroom.leaks=sites}. A tensor that is collected
 * without having been closed is reported in the log with that place. It is not freed: a cleaner
 * runs whenever it likes, and memory that is freed by luck is memory that runs out by bad luck.
 */
final class LeakSite implements Runnable {
    static final boolean ENABLED = "sites".equals(System.getProperty("darkroom.leaks", "off"));

    private static final System.Logger LOG = System.getLogger("dev.darkroom.leaks");
    private static final @Nullable Cleaner CLEANER = ENABLED ? Cleaner.create() : null;

    private final Throwable trace = new Throwable("the tensor was made here");
    private volatile boolean closed;

    private LeakSite() {}

    static LeakSite record(TensorHandle tensor) {
        var site = new LeakSite();
        if (CLEANER != null) {
            CLEANER.register(tensor, site);
        }
        return site;
    }

    Throwable trace() {
        return trace;
    }

    void closed() {
        closed = true;
    }

    /** The tensor is unreachable. */
    @Override
    public void run() {
        if (!closed) {
            LOG.log(System.Logger.Level.WARNING, "a tensor was never closed and has leaked", trace);
        }
    }
}
