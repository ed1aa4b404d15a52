package dev.darkroom.models.text;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/** A network that reads tokens. */
public interface TextEncoder {
    /**
     * Encodes texts.
     *
     * @param ids token ids, int64 {@code [N,L]}
     * @param mask 1 for a token and 0 for padding {@code [N,L]}; null if all are tokens
     */
    Encoded encode(Tensor ids, @Nullable Tensor mask);

    /** Width of the states. */
    int width();

    /** Number of tokens that it knows. */
    int vocabularySize();
}
