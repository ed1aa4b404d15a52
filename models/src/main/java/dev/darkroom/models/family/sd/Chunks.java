package dev.darkroom.models.family.sd;

import dev.darkroom.models.clip.LearnedTokens;
import dev.darkroom.models.family.PromptReading;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.tokenizers.Tokenizer;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Tokens of a prompt in chunks that a text encoder reads one by one, as AUTOMATIC1111's web UI cuts
 * them ({@code tokenize_line}): where a chunk is full, what is behind its last comma goes to the
 * next, if that is at most {@value #BACKTRACK} tokens back, and the embeddings of a learned token
 * stay together.
 */
final class Chunks {
    private static final int BACKTRACK = 20;

    /** Far longer than any prompt that people write, and still no burden for a network. */
    private static final int MOST = 64;

    /**
     * A chunk, without the tokens that go around it.
     *
     * @param ids one for each token
     * @param weights one for each token
     */
    record Chunk(List<Integer> ids, List<Float> weights) {
        Chunk() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        private void add(int id, float weight) {
            ids.add(id);
            weights.add(weight);
        }

        /** Moves what is behind a position to a new chunk. */
        private Chunk cutAt(int position) {
            var ids = this.ids.subList(position, this.ids.size());
            var weights = this.weights.subList(position, this.weights.size());
            var rest = new Chunk(new ArrayList<>(ids), new ArrayList<>(weights));
            ids.clear();
            weights.clear();
            return rest;
        }

        int[] toArray() {
            return ids.stream().mapToInt(Integer::intValue).toArray();
        }
    }

    private final Tokenizer tokenizer;
    private final @Nullable LearnedTokens learned;
    private final int capacity;
    private final int comma;
    private final List<Chunk> chunks = new ArrayList<>();
    private Chunk chunk = new Chunk();
    private int behindComma = -1;

    private Chunks(Tokenizer tokenizer, @Nullable LearnedTokens learned, int capacity) {
        this.tokenizer = tokenizer;
        this.learned = learned;
        this.capacity = capacity;
        comma = Arrays.stream(tokenizer.content(",")).findFirst().orElse(-1);
    }

    /**
     * Cuts a prompt into chunks.
     *
     * @param capacity of a chunk in tokens; one chunk takes all where the reading is not in chunks
     * @return one at least
     * @throws IllegalArgumentException if the prompt can't be read, or takes too many
     */
    static List<Chunk> of(
            String text,
            PromptReading reading,
            Tokenizer tokenizer,
            @Nullable LearnedTokens learned,
            int capacity) {
        var chunks =
                new Chunks(tokenizer, learned, reading.inChunks() ? capacity : Integer.MAX_VALUE);
        if (reading.syntax() == PromptSyntax.PLAIN) {
            chunks.add(text, 1);
        } else {
            for (var part : WeightedText.parse(text)) {
                if (!part.isBreak()) {
                    chunks.add(part.text(), (float) part.weight());
                } else if (reading.inChunks()) {
                    chunks.end();
                } else {
                    throw new IllegalArgumentException(
                            "BREAK in a prompt begins another chunk; ask for long prompts, which"
                                    + " are read in chunks, or write it in small letters");
                }
            }
        }
        if (!chunks.chunk.ids.isEmpty() || chunks.chunks.isEmpty()) {
            chunks.end();
        }
        if (chunks.chunks.size() > MOST) {
            throw new IllegalArgumentException(
                    "the prompt has "
                            + chunks.chunks.size()
                            + " chunks of "
                            + capacity
                            + " tokens; at most "
                            + MOST
                            + " are read");
        }
        return chunks.chunks;
    }

    private void add(String text, float weight) {
        for (int id : tokenizer.content(text)) {
            int size = chunk.ids.size();
            int behind = size - behindComma;
            if (id == comma) {
                behindComma = size + 1;
            } else if (size == capacity && behindComma >= 0 && behind < BACKTRACK) {
                Chunk rest = chunk.cutAt(behindComma);
                end();
                chunk = rest;
            }
            int count = learned == null ? 1 : learned.count(id);
            if (chunk.ids.size() + count > capacity) {
                end();
            }
            for (int each = id; each < id + count; each++) {
                chunk.add(each, weight);
            }
        }
    }

    private void end() {
        chunks.add(chunk);
        chunk = new Chunk();
        behindComma = -1;
    }
}
