package dev.darkroom.tokenizers;

import dev.darkroom.common.OneLine;

import java.io.IOException;
import java.nio.file.Path;

/** A tokenizer's file is missing, malformed, or asks for something that is not supported. */
public final class TokenizerException extends IOException {
    private static final long serialVersionUID = 1;

    /** Names the file, then says what is wrong with it. */
    public TokenizerException(Path file, String problem) {
        super(file + ": " + OneLine.of(problem));
    }

    /** Makes an error as {@link #TokenizerException(Path, String)} does, with its cause. */
    public TokenizerException(Path file, String problem, Throwable cause) {
        super(file + ": " + OneLine.of(problem), cause);
    }
}
