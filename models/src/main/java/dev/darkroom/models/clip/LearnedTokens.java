package dev.darkroom.models.clip;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Embeddings of tokens that a {@link ClipTextEncoder} was not trained with: textual inversion (Gal
 * et al. 2022, arXiv:2208.01618). Their ids begin where those of the tokenizer end. A token may
 * stand for several embeddings, whose ids follow its own. Immutable, and on Java's heap: they are
 * few, and must not depend on how long the encoder's weights are there.
 */
public final class LearnedTokens {
    private final int first;
    private final int width;
    private final float[] rows;
    private final NavigableMap<Integer, Integer> counts;

    private LearnedTokens(
            int first, int width, float[] rows, NavigableMap<Integer, Integer> counts) {
        this.first = first;
        this.width = width;
        this.rows = rows;
        this.counts = counts;
    }

    /**
     * Begins without any.
     *
     * @param first the id of the first that is added
     * @param width of an embedding
     * @throws IllegalArgumentException if a number is out of range
     */
    public static LearnedTokens startingAt(int first, int width) {
        if (first < 0 || width < 1) {
            throw new IllegalArgumentException(
                    "learned tokens need an id of at least 0 and a width of at least 1, not "
                            + first
                            + " and "
                            + width);
        }
        return new LearnedTokens(first, width, new float[0], new TreeMap<>());
    }

    /**
     * Returns these and another token.
     *
     * @param embeddings one after the other, each as wide as the encoder
     * @throws IllegalArgumentException if their number does not divide into embeddings
     */
    public LearnedTokens with(float[] embeddings) {
        if (embeddings.length == 0 || embeddings.length % width != 0) {
            throw new IllegalArgumentException(
                    embeddings.length + " numbers are no embeddings of width " + width);
        }
        float[] all = Arrays.copyOf(rows, rows.length + embeddings.length);
        System.arraycopy(embeddings, 0, all, rows.length, embeddings.length);
        var more = new TreeMap<>(counts);
        more.put(end(), embeddings.length / width);
        return new LearnedTokens(first, width, all, more);
    }

    /** Returns the id behind the last. */
    public int end() {
        return first + rows.length / width;
    }

    /** Returns how many ids a token takes: 1 for one that is not learned. */
    public int count(int id) {
        return counts.getOrDefault(id, 1);
    }

    /** Returns which of the ids are learned ones, of the same shape. */
    Tensor among(Tensor ids) {
        return ids.ge(first);
    }

    /**
     * Returns the embeddings of ids.
     *
     * @param ids {@code [N,L]}; those that are not learned get any embedding
     * @return {@code [N,L,D]}, in the scope that is open
     */
    Tensor embedded(Tensor ids, DType dtype, Device device) {
        try (var scope = TensorScope.open()) {
            int count = rows.length / width;
            Tensor table = Tensor.copyOf(rows, count, width).to(device).to(dtype); // [K,D]
            Tensor places = ids.minus(first).clamp(0, count - 1).to(DType.INT64);
            return scope.keep(Ops.embedding(table, places));
        }
    }
}
