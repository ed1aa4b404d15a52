package dev.darkroom.models.family;

import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.tokenizers.Tokenizer;

/**
 * A tokenizer and the text encoder that reads its tokens.
 *
 * @param device of the encoder
 */
public record PromptEncoder(Tokenizer tokenizer, TextEncoder encoder, Device device) {
    /** Far beyond what any text encoder reads; more is a mistake, such as a file's content. */
    private static final int MAX_CHARACTERS = 10_000;

    /**
     * Refuses texts that nobody means.
     *
     * @throws IllegalArgumentException if one is too long
     */
    public static void requireShort(String prompt, String negativePrompt) {
        int longest = Math.max(prompt.length(), negativePrompt.length());
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
     * Encodes a text.
     *
     * @param name of the text, in what is traced
     * @param title of the text, in warnings, such as "the prompt"
     * @param text as the tokenizer gets it
     * @param length in tokens; what is longer is cut, what is shorter padded
     * @return states {@code [1,L,D]} and mask {@code [1,L]}, in the scope that is open
     */
    public Encoded encode(String name, String title, String text, int length, Report report) {
        Tokenizer.Tokens tokens = tokenizer.encode(text, length);
        requireKnown(tokens.ids());
        warnOfLength(title, tokens.unpaddedLength(), length, report);
        Tensor ids = Tensor.copyOf(tokens.ids(), 1, length).to(DType.INT64);
        Tensor mask = Tensor.copyOf(tokens.mask(), 1, length).to(DType.INT64);
        try (var scope = TensorScope.open()) {
            Tensor onDevice = scope.keep(mask.to(device));
            Encoded encoded = encoder.encode(ids.to(device), onDevice);
            Tensor states = scope.keep(encoded.states()); // [1,L,D]
            Tensor pooled = encoded.pooled() == null ? null : scope.keep(encoded.pooled());
            report.traced(name + "_embeds", states);
            report.traced(name + "_mask", mask);
            return new Encoded(states, onDevice, pooled);
        }
    }

    /** A tokenizer's options may add tokens that the encoder has no embedding for. */
    private void requireKnown(int... ids) {
        for (int id : ids) {
            if (id < 0 || id >= encoder.vocabularySize()) {
                throw new IllegalArgumentException(
                        "the tokenizer gives the token "
                                + id
                                + ", but the text encoder knows only "
                                + encoder.vocabularySize()
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
