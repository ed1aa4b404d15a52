package dev.darkroom.models.pipeline;

/**
 * A checkpoint can't be used, or a request does not fit it; the message says why and what to do.
 */
public final class PipelineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PipelineException(String message) {
        super(message);
    }

    public PipelineException(String message, Throwable cause) {
        super(message, cause);
    }
}
