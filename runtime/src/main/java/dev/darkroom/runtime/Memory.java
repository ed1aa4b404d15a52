package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.LargeBlocks;
import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.TensorHandle;
import dev.darkroom.runtime.libtorch.LibtorchException;

/** How much memory tensors take. */
public final class Memory {
    private Memory() {}

    /**
     * A device's memory in bytes. For the CPU: what libtorch allocated since it was loaded, without
     * mapped files and borrowed memory.
     *
     * @param live allocated and not freed
     * @param peak the most that {@code live} has been since the last {@link #resetPeak}
     * @param reserved what a caching allocator holds; {@code live} where there is none
     */
    public record Stats(long live, long peak, long reserved) {}

    /** Returns the number of tensors that are not closed, in the whole process. */
    public static long liveTensors() {
        return TensorHandle.live();
    }

    /** Returns the bytes that libtorch holds on the CPU. */
    public static long liveBytes() {
        return stats(Device.CPU).live();
    }

    /**
     * Returns the statistics of a device.
     *
     * @throws LibtorchException.Unsupported if the device's allocator keeps none
     */
    public static Stats stats(Device device) {
        long[] numbers = Native.memory(device.code());
        return new Stats(numbers[0], numbers[1], numbers[2]);
    }

    /** Resets the peak to what is live now. */
    public static void resetPeak(Device device) {
        Native.resetPeak(device.code());
    }

    /** Gives memory that the allocator caches back to the device. */
    public static void emptyCache(Device device) {
        Native.emptyCache(device.code());
    }

    /**
     * Lets the CPU's tensors take no more memory than they have, from now on and in the whole
     * process: a block of 1 MiB or more goes back to the system when it is freed. Otherwise glibc's
     * heap may hold more than what is alive. It costs about a tenth of the time, which is why a
     * pipeline asks for it only where memory is short.
     *
     * @return whether this system can do that
     */
    public static boolean returnLargeBlocks() {
        return LargeBlocks.map();
    }
}
