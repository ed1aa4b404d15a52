package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
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

    /** The memory of the caller's that the tensor lies in, if it does. */
    private @Nullable MemorySegment borrowed;

    /** Whose segments lie in the tensor's memory, once one was asked for. */
    private volatile @Nullable Arena segments;

    TensorHandle(long address) {
        super(address);
        LIVE.increment();
        site = LeakSite.ENABLED ? LeakSite.record(this) : null;
    }

    /** Owns a new reference, which is freed if Java's heap has no room for the handle. */
    static TensorHandle owning(long address) {
        try {
            return new TensorHandle(address);
        } catch (RuntimeException | Error e) {
            References.freeTensor(address);
            throw e;
        }
    }

    /** Returns the number of handles that are not closed. */
    public static long live() {
        return LIVE.sum();
    }

    static void metadataChanged() {
        synchronized (LIVE) {
            epoch++;
        }
    }

    /** Returns the tensor's type, device and shape. */
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

    // ---- Memory that Java also sees ----

    /** The caller's memory that the tensor lies in, if it does. */
    @Nullable MemorySegment borrowed() {
        return borrowed;
    }

    TensorHandle borrowing(@Nullable MemorySegment memory) {
        borrowed = memory;
        return this;
    }

    /**
     * @throws IllegalStateException if the tensor lies in memory that is closed, or that this
     *     thread may not use
     */
    void requireMemory() {
        MemorySegment memory = borrowed;
        if (memory == null) {
            return;
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException(
                    "the tensor lies in borrowed memory whose arena is closed");
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new IllegalStateException(
                    "the tensor lies in borrowed memory of a confined arena, which only the arena's"
                            + " own thread may use; use a shared arena");
        }
    }

    /**
     * Returns the tensor's memory, as a segment that is valid until the handle is closed; it is
     * held.
     */
    MemorySegment segment(long address, long bytes) {
        MemorySegment memory = borrowed;
        if (memory != null) {
            requireMemory();
            long offset =
                    bytes == 0 ? 0 : address - memory.address(); // an empty one has no address
            return memory.asSlice(offset, bytes);
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena(), null);
    }

    private synchronized Arena arena() {
        Arena known = segments;
        if (known == null) {
            known = Arena.ofShared();
            segments = known;
        }
        return known;
    }

    /** Returns whether no segment is valid any more. */
    private synchronized boolean revoke() {
        Arena known = segments;
        if (known != null) {
            try {
                known.close();
            } catch (IllegalStateException | OutOfMemoryError e) {
                return false; // a segment is being used, or Java's heap is full
            }
            segments = null;
        }
        return true;
    }

    /** Ends the segments of a tensor that is seized. */
    void revokeSegments() {
        if (!revoke()) {
            throw new IllegalStateException(
                    "the tensor's memory is being read or written through its segment");
        }
    }

    @Override
    void unshare() {
        if (segments != null) {
            seize();
            try {
                revokeSegments();
            } finally {
                unseize();
            }
        }
    }

    /** Tensors that were to be freed while their memory was being read or written by Java. */
    private static final AtomicReference<@Nullable TensorHandle> LINGERING =
            new AtomicReference<>();

    /** The next of those. */
    private @Nullable TensorHandle lingering;

    @Override
    void free() {
        if (segments != null && !revoke()) {
            linger();
            return;
        }
        if (LINGERING.get() != null) {
            TensorHandle next = LINGERING.getAndSet(null);
            while (next != null) {
                TensorHandle one = next;
                next = one.lingering;
                one.free();
            }
        }
        References.freeTensor(address);
        LIVE.decrement();
        if (site != null) {
            site.closed();
        }
    }

    private void linger() {
        do {
            lingering = LINGERING.get();
        } while (!LINGERING.compareAndSet(lingering, this));
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
