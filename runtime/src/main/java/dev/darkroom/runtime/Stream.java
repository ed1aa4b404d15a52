package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.ObjectHandle;
import dev.darkroom.runtime.libtorch.LibtorchException;

/** A queue of work on a device that has such queues. Used through {@link Mode#withStream}. */
public final class Stream implements AutoCloseable {
    final ObjectHandle handle;

    /**
     * Takes a stream from the device's pool.
     *
     * @throws LibtorchException.Unsupported if the device has no streams, as the CPU
     */
    public Stream(Device device) {
        handle = Native.newStream(device.code());
    }

    /** Waits until the work queued so far is done. */
    public void synchronize() {
        Native.synchronizeStream(handle);
    }

    @Override
    public void close() {
        handle.close();
    }
}
