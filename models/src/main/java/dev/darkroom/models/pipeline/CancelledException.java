package dev.darkroom.models.pipeline;

/**
 * A run was ended by its {@link SampleMonitor}, or loading by its {@link
 * dev.darkroom.models.checkpoint.LoadListener}, or either by an interrupt of the calling thread.
 */
public final class CancelledException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public CancelledException(String message) {
        super(message);
    }

    CancelledException(String message, Throwable cause) {
        super(message, cause);
    }
}
