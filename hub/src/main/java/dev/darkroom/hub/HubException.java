package dev.darkroom.hub;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

import java.io.IOException;

/**
 * A model can't be found, downloaded or kept; the message says in a sentence why and what to do.
 */
public final class HubException extends IOException {
    private static final long serialVersionUID = 1;

    /** What was wrong, for callers that act on it. */
    public enum Kind {
        /** The text is no {@code ORG/NAME[@REVISION][:VARIANT]}, or an option is malformed. */
        BAD_NAME,
        /** The owner wants a licence accepted or access asked for first. */
        GATED,
        /** There is no such model, or it is private and the token, if any, may not see it. */
        NO_MODEL,
        /** The hub refuses the token, or the token lacks a permission. */
        DENIED,
        /** The model has no such branch, tag or commit. */
        NO_REVISION,
        /** The model has no such file. */
        NO_FILE,
        /** The model has no weights that can be used, or none of the variant. */
        NO_WEIGHTS,
        /** The hub asks to wait for longer than a download waits. */
        RATE_LIMITED,
        /** The hub can't be reached, or cut the connection again and again. */
        UNREACHABLE,
        /** The hub's answer breaks the protocol. */
        BAD_ANSWER,
        /** The hub sent a name of a file that is not one to be written. */
        HOSTILE_NAME,
        /** What arrived is not what the hub's listing promised, by its size or hash. */
        MISMATCH,
        /** The model is not in the cache, or not all of it, and downloading is switched off. */
        OFFLINE,
        /** The file system of the cache has too little room. */
        NO_SPACE,
        /** The cache can't be read or written. */
        CACHE,
        /** The listener asked to stop. */
        CANCELLED
    }

    private final Kind kind;

    HubException(Kind kind, String message) {
        this(kind, message, null);
    }

    HubException(Kind kind, String message, @Nullable Throwable cause) {
        super(OneLine.of(message), cause);
        this.kind = kind;
    }

    /** What was wrong. */
    public Kind kind() {
        return kind;
    }
}
