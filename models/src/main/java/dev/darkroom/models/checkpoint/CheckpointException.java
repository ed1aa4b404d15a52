package dev.darkroom.models.checkpoint;

import org.jspecify.annotations.Nullable;

import java.io.IOException;

/** Thrown when a checkpoint lacks a part, or its parts do not fit together. */
public final class CheckpointException extends IOException {
    private static final long serialVersionUID = 1;

    public CheckpointException(String message) {
        super(message);
    }

    /** Says what is wrong, and what it was noticed by. */
    public CheckpointException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
