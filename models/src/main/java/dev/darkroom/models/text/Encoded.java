package dev.darkroom.models.text;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/**
 * Encoded texts.
 *
 * @param states of the tokens {@code [N,L,D]}
 * @param mask 1 for a token and 0 for padding {@code [N,L]}; null if all are tokens
 * @param pooled one vector for each text {@code [N,P]}; null if the encoder has none
 */
public record Encoded(Tensor states, @Nullable Tensor mask, @Nullable Tensor pooled) {}
