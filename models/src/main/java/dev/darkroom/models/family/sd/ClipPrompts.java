package dev.darkroom.models.family.sd;

import dev.darkroom.common.OneLine;
import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipStates;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.clip.LearnedTokens;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.PromptReading;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextualInversion;
import dev.darkroom.models.text.TextualInversion.Vectors;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.tokenizers.Tokenizer;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A CLIP tokenizer and the text encoder that reads its tokens.
 *
 * @param prompts the same encoder
 * @param learned tokens that the tokenizer has and the encoder's table has not; null for none
 */
record ClipPrompts(
        PromptEncoder prompts, ClipTextEncoder encoder, @Nullable LearnedTokens learned) {
    /** A text of CLIP begins with one token. */
    private static final int BEGIN = 1;

    private static final int[] NOTHING = {};

    /** The parts before they are loaded. */
    record Parts(Tokenizer tokenizer, Architecture<ClipConfig, ClipTextEncoder> text) {
        /** Returns the width of the states. */
        int width() {
            return text.config().hiddenSize();
        }

        ClipPrompts load(Checkpoint checkpoint) throws IOException {
            ClipTextEncoder encoder = text.load(checkpoint);
            return new ClipPrompts(
                    new PromptEncoder(tokenizer, encoder, checkpoint.options().device()),
                    encoder,
                    null);
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
     * Returns these with a learned embedding. As in diffusers, one of several vectors adds a token
     * for each, {@code token}, {@code token_1} and so on, and the first stands for all.
     *
     * @param name of its vectors for this encoder
     * @throws CheckpointException if it does not fit
     */
    ClipPrompts with(TextualInversion embedding, String name) throws CheckpointException {
        Vectors vectors = embedding.vectors().get(name);
        if (vectors == null) {
            throw new CheckpointException(
                    embedding.file()
                            + ": this embedding is for "
                            + (embedding.vectors().size() == 1 ? "one text encoder" : "two")
                            + ", the checkpoint's "
                            + (name.equals(TextualInversion.ONLY)
                                    ? "text encoder is one"
                                    : "text encoders are two")
                            + "; those of Stable Diffusion 1.x and 2.x do not fit XL, nor the other"
                            + " way round");
        }
        if (vectors.width() != encoder.width()) {
            throw new CheckpointException(
                    embedding.file()
                            + ": the embedding's vectors are "
                            + vectors.width()
                            + " wide, those of the text encoder "
                            + encoder.width()
                            + "; it was made for another model (Stable Diffusion 1.x has 768, 2.x"
                            + " 1024)");
        }
        if (vectors.count() > capacity(length())) {
            throw new CheckpointException(
                    embedding.file()
                            + ": the embedding has "
                            + vectors.count()
                            + " vectors, the text encoder reads "
                            + capacity(length())
                            + " at most");
        }
        String token = embedding.token();
        Tokenizer more;
        try {
            more =
                    prompts.tokenizer()
                            .withTokens(
                                    IntStream.range(0, vectors.count())
                                            .mapToObj(i -> i == 0 ? token : token + "_" + i)
                                            .toList());
        } catch (IllegalArgumentException e) {
            throw new CheckpointException(embedding.file() + ": " + e.getMessage(), e);
        }
        int[] ids = more.content(token);
        if (ids.length != 1 || (learned != null && learned.end() != ids[0])) {
            throw new CheckpointException(
                    embedding.file()
                            + ": the tokenizer does not tell the token \""
                            + OneLine.of(token)
                            + "\" from others; choose another");
        }
        LearnedTokens before =
                learned == null ? LearnedTokens.startingAt(ids[0], encoder.width()) : learned;
        return new ClipPrompts(
                new PromptEncoder(more, encoder, prompts.device()),
                encoder,
                before.with(vectors.toArray()));
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
     * Returns how many chunks texts take, 1 if they are not read in chunks.
     *
     * @param length of a chunk in tokens
     */
    int chunks(Inputs inputs, int length, String... texts) {
        return inputs.reading().inChunks()
                ? Arrays.stream(texts)
                        .mapToInt(text -> cut(text, inputs.reading(), length).size())
                        .max()
                        .orElse(1)
                : 1;
    }

    private List<Chunks.Chunk> cut(String text, PromptReading reading, int length) {
        return Chunks.of(text, reading, prompts.tokenizer(), learned, capacity(length));
    }

    /** How many tokens of a text there are among so many. */
    private int capacity(int length) {
        return length - prompts.tokenizer().framed(NOTHING, length).unpaddedLength();
    }

    /**
     * Encodes a text. As in diffusers, the encoder takes padding for tokens. Chunks are encoded one
     * by one, and their states put side by side; those that the text lacks are empty texts. The
     * pooled text is the first chunk's.
     *
     * @param title of the text, in warnings
     * @param chunks how many there are to be
     * @param length of a chunk in tokens
     * @return states {@code [1,chunks·L,D]} and pooled text {@code [1,P]}, in the scope that is
     *     open
     */
    Encoded encode(
            String title,
            String text,
            PromptReading reading,
            int chunks,
            int length,
            ClipStates which,
            Report report) {
        List<Chunks.Chunk> cut = cut(text, reading, length);
        try (var scope = TensorScope.open()) {
            var ids = new ArrayList<Tensor>();
            var weights = new float[chunks * length];
            Arrays.fill(weights, 1);
            for (int i = 0; i < chunks; i++) {
                Chunks.Chunk chunk = i < cut.size() ? cut.get(i) : new Chunks.Chunk();
                var tokens = prompts.tokenizer().framed(chunk.toArray(), length);
                ids.add(prompts.placed(title, tokens, known(), report).ids());
                for (int k = 0; k < Math.min(chunk.weights().size(), capacity(length)); k++) {
                    weights[i * length + BEGIN + k] = chunk.weights().get(k);
                }
            }
            Encoded encoded = encoder.encode(Ops.cat(0, ids), null, which, learned);
            Tensor states = weighted(encoded.states(), weights); // [chunks,L,D]
            states = scope.keep(states.reshape(1, (long) chunks * length, states.size(2)));
            Tensor pooled = encoded.pooled();
            return new Encoded(
                    states,
                    null,
                    pooled == null ? null : scope.keep(pooled.narrow(0, 0, 1))); // [1,P]
        }
    }

    private int known() {
        int table = encoder.vocabularySize();
        return learned == null ? table : Math.max(table, learned.end());
    }

    /**
     * Weighs the states of tokens as AUTOMATIC1111's web UI does: they are multiplied, and then all
     * of a chunk so that their mean is what it was.
     *
     * @param states {@code [chunks,L,D]}
     * @param weights one for each token
     */
    private static Tensor weighted(Tensor states, float[] weights) {
        boolean isPlain = true;
        for (float weight : weights) {
            isPlain &= weight == 1;
        }
        if (isPlain) {
            return states;
        }
        Tensor exact =
                states.dtype().bytes() < DType.FLOAT32.bytes() ? states.to(DType.FLOAT32) : states;
        Tensor each = Tensor.copyOf(weights, states.size(0), states.size(1), 1).to(states.device());
        Tensor scaled = exact.times(each.to(exact.dtype()));
        Tensor mean = exact.mean(true, 1, 2); // [chunks,1,1]
        return scaled.times(mean.dividedBy(scaled.mean(true, 1, 2))).to(states.dtype());
    }
}
