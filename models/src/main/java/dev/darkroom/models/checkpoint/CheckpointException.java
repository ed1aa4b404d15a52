package dev.darkroom.models.checkpoint;

import java.io.IOException;

/** Thrown when a checkpoint lacks a part, or its parts do not fit together. */
public final class CheckpointException extends IOException {
    private static final long serialVersionUID = 1;

    public CheckpointException(String message) {
        super(message);
    }

    public CheckpointException(String message, Throwable cause) {
        super(message, cause);
    }
}
