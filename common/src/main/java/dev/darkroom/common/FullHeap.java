package dev.darkroom.common;

import org.jspecify.annotations.Nullable;

/**
 * Errors of a full Java heap. They come wrapped, too: in an {@link AssertionError} of the bindings,
 * or in the {@link IllegalArgumentException} that a {@code try} throws where closing fails with the
 * very error that its body failed with, of which HotSpot has one object for all.
 */
public final class FullHeap {
    private FullHeap() {}

    /** Throws the error of a full heap that another one stems from, if it does. */
    public static void rethrow(Throwable thrown) {
        for (@Nullable Throwable e = thrown; e != null; e = e.getCause()) {
            if (e instanceof OutOfMemoryError full) {
                throw full;
            }
        }
    }
}
