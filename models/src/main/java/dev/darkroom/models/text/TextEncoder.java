package dev.darkroom.models.text;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

/** A network that reads tokens, for sampling and for training. */
public abstract class TextEncoder extends Module {
    protected TextEncoder(Weights w) {
        super(w);
    }

    /**
     * Encodes texts.
     *
     * @param ids token ids, int64 {@code [N,L]}
     * @param mask 1 for a token and 0 for padding {@code [N,L]}; null if all are tokens
     */
    public abstract Encoded encode(Tensor ids, @Nullable Tensor mask);

    /** Returns the width of the states. */
    public abstract int width();

    /** Returns the number of tokens that it knows. */
    public abstract int vocabularySize();

    /** Returns the table of token embeddings, a row for each token. */
    public abstract Parameter tokenEmbeddings();

    /** Returns the config that the network was made with. */
    public abstract Record config();
}
