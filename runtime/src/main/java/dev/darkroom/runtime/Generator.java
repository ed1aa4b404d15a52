package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.ObjectHandle;

/**
 * A source of random numbers: PyTorch's own for the device. On the CPU that is mt19937, so the same
 * seed and the same order of samples give the numbers that PyTorch gives, bit for bit. Not for use
 * by several threads at once.
 */
public final class Generator implements AutoCloseable {
    final ObjectHandle handle;

    /** Makes a generator on the CPU. */
    public Generator(long seed) {
        this(Device.CPU, seed);
    }

    /** Makes a generator on a device. */
    public Generator(Device device, long seed) {
        handle = Native.newGenerator(device.code(), seed);
    }

    /** Starts the sequence of a seed. */
    public void seed(long seed) {
        Native.seed(handle, seed);
    }

    /** Returns the state, a uint8 tensor on the CPU. */
    public Tensor state() {
        return Tensor.adopt(Native.generatorState(handle));
    }

    /** Goes back to a state that {@link #state} gave. */
    public void restore(Tensor state) {
        Native.setGeneratorState(handle, state.handle);
    }

    @Override
    public void close() {
        handle.close();
    }
}
