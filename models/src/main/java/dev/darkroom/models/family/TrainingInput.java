package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** What a family's networks are conditioned on. */
public sealed interface TrainingInput {
    /**
     * A text, read by a tokenizer and a text encoder.
     *
     * @param encoder the part that reads tokens
     * @param modelType what transformers calls the encoder in a config
     * @param tokenizers classes of the part {@value #TOKENIZER}; the first is the one that is
     *     written
     * @param length of a text in tokens, where nothing else is said
     * @param preparation what is done to a text before it is tokenized
     * @param condition the network's condition on encoded texts
     */
    record Text(
            NetworkPart<?, ? extends TextEncoder> encoder,
            String modelType,
            List<String> tokenizers,
            int length,
            UnaryOperator<String> preparation,
            Function<Encoded, Condition> condition)
            implements TrainingInput {
        /** The part that makes tokens of a text. */
        public static final String TOKENIZER = "tokenizer";

        public Text {
            tokenizers = List.copyOf(tokenizers);
        }

        /** Returns a text as it is tokenized. */
        public String prepared(String text) {
            return preparation.apply(text);
        }

        /**
         * Requires both parts.
         *
         * @throws CheckpointException if a checkpoint lacks one, or it is of another class
         */
        public void require(Checkpoint checkpoint) throws CheckpointException {
            tokenizerClass(checkpoint);
            encoder.require(checkpoint);
        }

        /**
         * Loads a checkpoint's tokenizer.
         *
         * @throws IOException if it is missing, of another class, or can't be read
         */
        public Tokenizer tokenizer(Checkpoint checkpoint) throws IOException {
            return Tokenizers.load(
                    checkpoint.folder().resolve(TOKENIZER), tokenizerClass(checkpoint));
        }

        private String tokenizerClass(Checkpoint checkpoint) throws CheckpointException {
            return checkpoint.requirePart(TOKENIZER, tokenizers.toArray(String[]::new));
        }

        /** Loads the tokenizer of a checkpoint to be, from its folder. */
        public Tokenizer tokenizer(Path folder) throws IOException {
            return Tokenizers.load(folder, tokenizers.getFirst());
        }
    }

    /**
     * A class by its number. The number after the last class stands for none.
     *
     * @param countKey the option of the network's config that says how many classes there are
     * @param condition the network's condition on classes, int64 {@code [N]}
     */
    record Classes(String countKey, Function<Tensor, Condition> condition)
            implements TrainingInput {}
}
