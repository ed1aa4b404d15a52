package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipStates;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.tokenizers.Tokenizer;

import java.io.IOException;

/**
 * A CLIP tokenizer and the text encoder that reads its tokens.
 *
 * @param prompts the same encoder
 */
record ClipPrompts(PromptEncoder prompts, ClipTextEncoder encoder) {
    /** The parts before they are loaded. */
    record Parts(Tokenizer tokenizer, Architecture<ClipConfig, ClipTextEncoder> text) {
        /** Returns the width of the states. */
        int width() {
            return text.config().hiddenSize();
        }

        ClipPrompts load(Checkpoint checkpoint) throws IOException {
            ClipTextEncoder encoder = text.load(checkpoint);
            return new ClipPrompts(
                    new PromptEncoder(tokenizer, encoder, checkpoint.options().device()), encoder);
        }
    }

    /**
     * Reads a tokenizer and the config of its text encoder.
     *
     * @param tokenizer the part's name
     * @throws IOException if a part is missing, of another class, or they do not fit together
     */
    static Parts read(
            Checkpoint checkpoint,
            String tokenizer,
            NetworkPart<ClipConfig, ClipTextEncoder> encoder)
            throws IOException {
        String className = checkpoint.requirePart(tokenizer, "CLIPTokenizer", "CLIPTokenizerFast");
        encoder.require(checkpoint);
        var read = checkpoint.tokenizer(tokenizer, className);
        var text = encoder.read(checkpoint);
        PromptEncoder.requireFit(checkpoint, read, text.config().vocabSize());
        return new Parts(read, text);
    }

    /**
     * Refuses what this encoder can't do.
     *
     * @throws IllegalArgumentException if a text is to be longer than it has positions, or more
     *     layers are to be left out than it has
     */
    void require(Inputs inputs) {
        if (inputs.maxTokens() != null && inputs.maxTokens() > length()) {
            throw new IllegalArgumentException(
                    "the text encoder reads at most "
                            + length()
                            + " tokens, not "
                            + inputs.maxTokens());
        }
        int layers = encoder.config().numHiddenLayers();
        if (inputs.clipSkip() >= layers) {
            throw new IllegalArgumentException(
                    "the text encoder has "
                            + layers
                            + " layers, of which "
                            + inputs.clipSkip()
                            + " can't be left out");
        }
    }

    /** Returns the longest text, in tokens. */
    int length() {
        return Math.min(prompts.tokenizer().maxLength(), encoder.config().maxPositionEmbeddings());
    }

    /**
     * Encodes a text. As in diffusers, the encoder takes padding for tokens.
     *
     * @param title of the text, in warnings
     * @param length in tokens
     * @return states {@code [1,L,D]} and pooled text {@code [1,P]}, in the scope that is open
     */
    Encoded encode(String title, String text, int length, ClipStates which, Report report) {
        try (var scope = TensorScope.open()) {
            var tokens = prompts.tokens(title, text, length, report);
            Encoded encoded = encoder.encode(tokens.ids(), null, which);
            scope.keep(encoded.states());
            if (encoded.pooled() != null) {
                scope.keep(encoded.pooled());
            }
            return encoded;
        }
    }
}
