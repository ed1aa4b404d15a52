package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.tokenizers.Tokenizer;

import java.util.Arrays;

/**
 * A tokenizer and the text encoder that reads its tokens.
 *
 * @param device of the encoder
 */
public record PromptEncoder(Tokenizer tokenizer, TextEncoder encoder, Device device) {
    /** Far beyond what any text encoder reads; more is a mistake, such as a file's content. */
    private static final int MAX_CHARACTERS = 10_000;

    /**
     * Refuses what a model of texts does not take: classes, no prompt, texts that nobody means, and
     * what only other families take.
     *
     * @param taken what it takes of what only some families do
     * @throws IllegalArgumentException which says what it takes
     */
    public static void requireTexts(Inputs inputs, Inputs.Extra... taken) {
        inputs.requireNoneBut(taken);
        if (!inputs.classes().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint takes a prompt, not a class; say in words what to draw");
        }
        if (inputs.prompt() == null) {
            throw new IllegalArgumentException(
                    "there is no prompt; say in words what to draw, or give an empty text for"
                            + " nothing in particular");
        }
        int longest = 0;
        for (String text :
                Arrays.asList(
                        inputs.prompt(),
                        inputs.negativePrompt(),
                        inputs.secondPrompt(),
                        inputs.secondNegativePrompt())) {
            longest = Math.max(longest, text == null ? 0 : text.length());
        }
        if (longest > MAX_CHARACTERS) {
            throw new IllegalArgumentException(
                    "a prompt has at most "
                            + MAX_CHARACTERS
                            + " characters, not "
                            + longest
                            + "; the text encoder reads only its beginning");
        }
    }

    /**
     * Refuses a tokenizer and a text encoder of different checkpoints.
     *
     * @throws CheckpointException if there is no embedding for some tokens
     */
    public static void requireFit(Checkpoint checkpoint, Tokenizer tokenizer, int vocabularySize)
            throws CheckpointException {
        if (tokenizer.size() > vocabularySize) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the tokenizer has "
                            + tokenizer.size()
                            + " tokens, the text encoder only "
                            + vocabularySize);
        }
    }

    /**
     * Requires that encoding has not overflowed.
     *
     * @param dtype that it was computed in
     * @throws ModelException if a number is infinite or NaN
     */
    public static void requireFinite(Encoded encoded, DType dtype) {
        Finite.require(
                encoded.states(),
                "the text encoder's states",
                dtype.bytes() < DType.FLOAT32.bytes()
                        ? Finite.FLOAT32
                        : "the text encoder's weights may be broken");
    }

    /**
     * A text as tokens, on the encoder's device.
     *
     * @param ids int64 {@code [1,L]}
     * @param mask int64 {@code [1,L]}, 1 for a token and 0 for padding
     */
    public record Tokens(Tensor ids, Tensor mask) {}

    /**
     * Encodes a text.
     *
     * @param name of the text, in what is traced
     * @param title of the text, in warnings, such as "the prompt"
     * @param text as the tokenizer gets it
     * @param length in tokens; what is longer is cut, what is shorter padded
     * @return states {@code [1,L,D]} and mask {@code [1,L]}, in the scope that is open
     */
    public Encoded encode(String name, String title, String text, int length, Report report) {
        try (var scope = TensorScope.open()) {
            Tokens tokens = tokens(title, text, length, report);
            Encoded encoded = encoder.encode(tokens.ids(), scope.keep(tokens.mask()));
            Tensor states = scope.keep(encoded.states()); // [1,L,D]
            Tensor pooled = encoded.pooled() == null ? null : scope.keep(encoded.pooled());
            report.traced(name + "_embeds", states);
            report.traced(name + "_mask", tokens.mask());
            return new Encoded(states, tokens.mask(), pooled);
        }
    }

    /**
     * Makes tokens of a text, and warns if they are too many.
     *
     * @param title of the text, in warnings, such as "the prompt"
     * @param text as the tokenizer gets it
     * @param length in tokens; what is longer is cut, what is shorter padded
     * @return the tokens, in the scope that is open
     */
    public Tokens tokens(String title, String text, int length, Report report) {
        Tokenizer.Tokens tokens = tokenizer.encode(text, length);
        return placed(title, tokens, encoder.vocabularySize(), report);
    }

    /**
     * Brings tokens to the encoder's device, and warns if they are too many.
     *
     * @param title of the text, in warnings, such as "the prompt"
     * @param tokens cut or padded
     * @param known how many tokens there are embeddings for
     * @return the tokens, in the scope that is open
     * @throws IllegalArgumentException if there is no embedding for one
     */
    public Tokens placed(String title, Tokenizer.Tokens tokens, int known, Report report) {
        int length = tokens.ids().length;
        requireKnown(known, tokens.ids());
        warnOfLength(title, tokens.unpaddedLength(), length, report);
        try (var scope = TensorScope.open()) {
            Tensor ids = Tensor.copyOf(tokens.ids(), 1, length).to(DType.INT64);
            Tensor mask = Tensor.copyOf(tokens.mask(), 1, length).to(DType.INT64);
            return new Tokens(scope.keep(ids.to(device)), scope.keep(mask.to(device)));
        }
    }

    /** A tokenizer's options may add tokens that the encoder has no embedding for. */
    private static void requireKnown(int known, int... ids) {
        for (int id : ids) {
            if (id < 0 || id >= known) {
                throw new IllegalArgumentException(
                        "the tokenizer gives the token "
                                + id
                                + ", but the text encoder knows only "
                                + known
                                + "; they are of different checkpoints");
            }
        }
    }

    /**
     * Says what was cut, and what the model was not trained on: as in diffusers, the text length
     * does not depend on the tokenizer's {@code model_max_length}.
     */
    private void warnOfLength(String title, int tokens, int length, Report report) {
        String text = title + " has " + tokens;
        if (tokens > length) {
            report.warn(text + " tokens; only the first " + length + " were used");
        }
        int trained = tokenizer.maxLength();
        if (trained < Math.min(tokens, length)) {
            report.warn(
                    text
                            + " tokens, more than the "
                            + trained
                            + " that the model was trained on; a shorter text gives a better"
                            + " picture");
        }
    }
}
