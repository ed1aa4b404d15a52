package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/** A table of V vectors of width D, such as token embeddings. Key: {@code weight [V,D]}. */
public final class Embedding extends Module {
    private final Parameter weight;

    /** Declares a table of {@code count} vectors. */
    public Embedding(Weights w, long count, long width) {
        this(w, count, width, Init.normal(0.02));
    }

    /** Declares a table that is initialised in a way of its own. */
    public Embedding(Weights w, long count, long width, Init init) {
        super(w);
        weight = w.parameter("weight", Shape.of(count, width), init);
    }

    /**
     * Looks rows up.
     *
     * @param ids integers {@code [...]} from 0 to V − 1
     * @return {@code [...,D]}
     */
    public Tensor forward(Tensor ids) {
        return Ops.embedding(weight.value(), ids);
    }

    /** Returns the weight {@code [V,D]}. */
    public Parameter weight() {
        return weight;
    }
}
