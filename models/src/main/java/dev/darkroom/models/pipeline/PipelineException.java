package dev.darkroom.models.pipeline;

import dev.darkroom.common.UntrustedFile;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.Objects;

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

    /**
     * Makes the exception for a file that can't be read, or holds something else than it should.
     */
    static PipelineException of(IOException e) {
        return e instanceof FileSystemException file // whose message is the path alone
                ? new PipelineException(file.getFile() + ": " + UntrustedFile.problem(file), e)
                : new PipelineException(String.valueOf(e.getMessage()), e);
    }

    /** Makes the exception for weights that are loaded when they are used, and can't be read. */
    static PipelineException of(UncheckedIOException e) {
        return of(Objects.requireNonNull(e.getCause()));
    }
}
