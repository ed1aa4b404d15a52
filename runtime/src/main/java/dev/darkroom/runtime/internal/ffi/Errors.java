package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_error;
import dev.darkroom.common.FullHeap;
import dev.darkroom.runtime.libtorch.LibtorchException;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Turns the shim's error struct into exceptions. */
final class Errors {
    private Errors() {}

    /**
     * The exception for memory whose arena was closed after it was looked at and before the call:
     * the bindings wrap it.
     */
    static IllegalStateException ofArgument(AssertionError wrapped) {
        if (wrapped.getCause() instanceof IllegalStateException) {
            return new IllegalStateException("the memory's arena is closed", wrapped);
        }
        FullHeap.rethrow(wrapped);
        throw wrapped;
    }

    static void check(int status, MemorySegment error, String what) {
        if (status != DarkroomH.DR_OK()) {
            throw exception(error, what);
        }
    }

    /**
     * Makes the exception for a filled error struct.
     *
     * @param what the call that failed, such as an operator's name
     * @throws StackOverflowError if the thread has too little stack left for libtorch
     */
    static RuntimeException exception(MemorySegment error, String what) {
        byte[] text =
                dr_error.message(error)
                        .asSlice(0, dr_error.length(error))
                        .toArray(ValueLayout.JAVA_BYTE);
        String message = what + ": " + new String(text, StandardCharsets.UTF_8);
        int code = dr_error.code(error);
        if (code == DarkroomH.DR_INVALID_ARGUMENT()) {
            return new IllegalArgumentException(message);
        } else if (code == DarkroomH.DR_OUT_OF_MEMORY()) {
            return new LibtorchException.OutOfMemory(message);
        } else if (code == DarkroomH.DR_NO_SUCH_OPERATOR()) {
            return new LibtorchException.NoSuchOperator(message);
        } else if (code == DarkroomH.DR_NOT_IMPLEMENTED()) {
            return new LibtorchException.NotImplemented(message);
        } else if (code == DarkroomH.DR_INDEX_ERROR()) {
            return new LibtorchException.IndexError(message);
        } else if (code == DarkroomH.DR_TYPE_ERROR()) {
            return new LibtorchException.TypeError(message);
        } else if (code == DarkroomH.DR_VALUE_ERROR()) {
            return new LibtorchException.ValueError(message);
        } else if (code == DarkroomH.DR_LINALG_ERROR()) {
            return new LibtorchException.LinalgError(message);
        } else if (code == DarkroomH.DR_UNSUPPORTED()) {
            return new LibtorchException.Unsupported(message);
        } else if (code == DarkroomH.DR_STACK_EXHAUSTED()) {
            throw new StackOverflowError(message);
        }
        return new LibtorchException(message);
    }
}
