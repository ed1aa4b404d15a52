package dev.darkroom.tokenizers;

import java.util.List;

/**
 * Turns text into the token ids that a text encoder was trained on. Immutable and safe for use by
 * any number of threads.
 */
public interface Tokenizer {

    /**
     * Returns all ids of a text, neither cut nor padded.
     *
     * @param text any text of at most 2¹⁸ characters, also empty; unpaired surrogates count as
     *     U+FFFD
     * @throws TokenizingException if the text is longer, or the tokenizer's rules make it so or
     *     take too long for it
     * @return the ids with the special tokens that the model expects (T5: {@code </s>} at the end;
     *     CLIP: start and end)
     */
    int[] encode(String text);

    /**
     * Returns the ids of a text as exactly {@code maxLength} tokens: cut from the right with the
     * end token kept, or padded at the right with {@link #padId()}.
     *
     * @param maxLength the text length in tokens, at least the number of special tokens
     * @throws IllegalArgumentException if the special tokens alone do not fit
     * @throws TokenizingException as {@link #encode(String)}
     */
    Tokens encode(String text, int maxLength);

    /**
     * Returns the ids of a text without the special tokens that go around it, neither cut nor
     * padded.
     *
     * @throws TokenizingException as {@link #encode(String)}
     */
    int[] content(String text);

    /**
     * Puts the special tokens around ids as {@link #encode(String, int)} does around those of a
     * text, and cuts or pads.
     *
     * @throws IllegalArgumentException if the special tokens alone do not fit
     */
    Tokens framed(int[] content, int maxLength);

    /**
     * Returns this tokenizer with more tokens, which have ids one after the other behind all
     * others, as transformers' {@code add_tokens} gives them. They are taken out of a text as they
     * are written, before anything else is.
     *
     * @throws IllegalArgumentException if a token is empty, too long, there already, or given twice
     * @throws UnsupportedOperationException if this tokenizer's vocabulary can't grow, as T5's
     */
    default Tokenizer withTokens(List<String> tokens) {
        throw new UnsupportedOperationException("this tokenizer takes no more tokens");
    }

    /** Returns the id of padding. */
    int padId();

    /** Returns the id that ends a text. */
    int eosId();

    /**
     * Returns the number of tokens, added ones included; a text encoder needs at least as many
     * rows.
     */
    int size();

    /**
     * Returns the {@code model_max_length} of {@code tokenizer_config.json}, or {@link
     * Integer#MAX_VALUE} where it sets no bound.
     */
    int maxLength();

    /**
     * Returns the text of some ids, without special tokens. This is for messages; it does not undo
     * normalisation.
     *
     * @throws IllegalArgumentException if an id is not of this tokenizer
     */
    String decode(int[] ids);

    /**
     * The ids of a text, padded or cut to the text length.
     *
     * @param ids as many as were asked for
     * @param mask true where {@code ids} holds the text or its special tokens, false where padding
     * @param unpaddedLength how many ids the whole text has, before it was cut: more than {@code
     *     ids.length} if something was cut
     */
    record Tokens(int[] ids, boolean[] mask, int unpaddedLength) {}
}
