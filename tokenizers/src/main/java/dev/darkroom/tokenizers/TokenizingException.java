package dev.darkroom.tokenizers;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;

/**
 * A text can't be made into tokens: it is too long, or the rules of a tokenizer's file make it so,
 * or take too long for it. Names the file, if it is to blame.
 */
public final class TokenizingException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    TokenizingException(@Nullable Path file, String problem) {
        super((file == null ? "" : file + ": ") + OneLine.of(problem));
    }
}
