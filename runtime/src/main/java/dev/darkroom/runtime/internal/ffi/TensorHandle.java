package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.LongAdder;

/** One reference to a libtorch tensor. */
public final class TensorHandle extends Handle {
    private static final LongAdder LIVE = new LongAdder();

    /**
     * Raised by every call that may have changed the shape or type of a tensor that exists. What is
     * known of a tensor holds only for the epoch that it was read in, because several handles can
     * refer to one tensor.
     */
    private static volatile int epoch;

    private final @Nullable LeakSite site;
    private @Nullable TensorInfo info;

    TensorHandle(long address) {
        super(address);
        LIVE.increment();
        site = LeakSite.ENABLED ? LeakSite.record(this) : null;
    }

    /** Handles that are not closed. */
    public static long live() {
        return LIVE.sum();
    }

    static void metadataChanged() {
        synchronized (LIVE) {
            epoch++;
        }
    }

    /** The tensor's type, device and shape. */
    public TensorInfo info() {
        int now = epoch;
        TensorInfo known = info;
        if (known == null || known.epoch() != now) {
            known = Native.inspect(this, now);
            info = known;
        } else if (isClosed()) {
            hold(); // throws
        }
        return known;
    }

    @Override
    void free() {
        LIVE.decrement();
        if (site != null) {
            site.closed();
        }
        DarkroomH.dr_tensor_free(MemorySegment.ofAddress(address));
    }

    @Override
    String noun() {
        return "tensor";
    }

    @Override
    @Nullable Throwable site() {
        return site == null ? null : site.trace();
    }
}
