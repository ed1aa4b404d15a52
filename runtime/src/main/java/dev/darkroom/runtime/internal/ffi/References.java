package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Takes and gives back references to native objects by address. Unlike the bindings, which make a
 * {@link MemorySegment} of each address, this allocates nothing: where Java's heap is full,
 * everything can still be freed.
 */
final class References {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle RETAIN_TENSOR =
            LINKER.downcallHandle(
                    DarkroomH.dr_tensor_retain$address(),
                    FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE_TENSOR = free(DarkroomH.dr_tensor_free$address());
    private static final MethodHandle FREE_GENERATOR = free(DarkroomH.dr_generator_free$address());
    private static final MethodHandle FREE_STREAM = free(DarkroomH.dr_stream_free$address());
    private static final MethodHandle FREE_EVENT = free(DarkroomH.dr_event_free$address());

    private References() {}

    private static MethodHandle free(MemorySegment function) {
        return LINKER.downcallHandle(function, FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
    }

    /** Makes another reference to the same tensor. */
    static long retainTensor(long address) {
        try {
            return (long) RETAIN_TENSOR.invokeExact(address);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void freeTensor(long address) {
        try {
            FREE_TENSOR.invokeExact(address);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void freeGenerator(long address) {
        try {
            FREE_GENERATOR.invokeExact(address);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void freeStream(long address) {
        try {
            FREE_STREAM.invokeExact(address);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void freeEvent(long address) {
        try {
            FREE_EVENT.invokeExact(address);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * Makes an error of what was thrown: native code throws nothing; the JVM may, at the end of a
     * stack.
     */
    private static Error failed(Throwable e) {
        return e instanceof Error error ? error : new AssertionError(e);
    }
}
