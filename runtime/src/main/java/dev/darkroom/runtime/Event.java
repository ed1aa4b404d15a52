package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.ObjectHandle;
import dev.darkroom.runtime.libtorch.LibtorchException;

/** A mark in a {@link Stream}, to wait for or to measure time with. */
public final class Event implements AutoCloseable {
    private final ObjectHandle handle;

    /**
     * Makes an event that is not recorded yet.
     *
     * @param timed whether {@link #millisecondsTo} will be asked
     * @throws LibtorchException.Unsupported if the device has no events, as the CPU
     */
    public Event(Device device, boolean timed) {
        handle = Native.newEvent(device.code(), timed);
    }

    /** Marks the present end of the stream. */
    public void record(Stream stream) {
        Native.recordEvent(handle, stream.handle);
    }

    /** Lets the stream's later work wait for this event. */
    public void block(Stream stream) {
        Native.awaitEvent(handle, stream.handle);
    }

    /** Waits on the host until the event has happened. */
    public void synchronize() {
        Native.synchronizeEvent(handle);
    }

    /** Returns the milliseconds from this event to a later one; both are timed and done. */
    public double millisecondsTo(Event end) {
        return Native.elapsedMillis(handle, end.handle);
    }

    @Override
    public void close() {
        handle.close();
    }
}
