package dev.darkroom.tokenizers;

import dev.darkroom.common.UntrustedFile;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The largest sizes that a tokenizer's files and texts may have: several times what anybody has.
 */
final class Limits {
    /** The bytes of a file. */
    private static final long FILE_BYTES = 64 << 20;

    /** The characters of a text that is given. */
    static final int TEXT = 1 << 18;

    /** The characters of a text after any step of its way to tokens. */
    static final int STEP = 1 << 22;

    /** The characters of a text after all steps, for each of those given and besides. */
    private static final int GROWTH = 64;

    private static final int SHORT = 1 << 16;

    /** The characters or bytes of a token, a prefix or a replacement. */
    static final int TOKEN = 512;

    /** The number of normalizers, pre-tokenizers or processors in a file. */
    static final int PARTS = 64;

    /** The largest id of a token. */
    static final int ID = 1 << 24;

    private Limits() {}

    /**
     * The bytes of a file.
     *
     * @param heapPerByte what a byte of it can take in Java's heap
     * @throws TokenizerException if there are too many, or they can't be read
     */
    static byte[] read(Path file, int heapPerByte) throws TokenizerException {
        try {
            return UntrustedFile.read(file, FILE_BYTES, heapPerByte);
        } catch (IOException e) {
            throw new TokenizerException(file, UntrustedFile.problem(e), e);
        }
    }

    /** Fails for a text that is given too long. */
    static void requireText(String text) {
        if (text.length() > TEXT) {
            throw new TokenizingException(
                    null,
                    "a text of "
                            + text.length()
                            + " characters is too long to be tokenized; at most "
                            + TEXT
                            + " are read");
        }
    }

    /** Fails when a step has made a text longer than any may be. */
    static void requireStep(@Nullable Path file, long length) {
        if (length > STEP) {
            throw new TokenizingException(
                    file, "its rules make the text longer than " + STEP + " characters");
        }
    }

    /** Fails when all steps have made a text longer than its own length explains. */
    static void requireInProportion(@Nullable Path file, long before, long after) {
        if (after > GROWTH * before + SHORT) {
            throw new TokenizingException(
                    file, "its rules make " + after + " characters of the text's " + before);
        }
    }

    /** Fails for a token that is too long. */
    static void requireToken(Path file, String what, int length) throws TokenizerException {
        if (length > TOKEN) {
            throw new TokenizerException(
                    file, what + " has " + length + " characters; at most " + TOKEN + " are read");
        }
    }
}
