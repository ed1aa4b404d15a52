package dev.darkroom.runtime.nn;

/**
 * What the weight of a {@link Linear} layer is kept as when a network is loaded, if the layer is
 * inside of a numbered block, such as {@code blocks.3.attn.q}. First and last layers, embeddings of
 * the timestep, norms, convolutions and tables are always kept in the type that is computed in, and
 * so is what a network {@linkplain Weights#keptWhole keeps whole}.
 */
public enum LinearFormat {
    /** In the type that is computed in. */
    COMPUTED,
    /**
     * As the file has it, in place where the file is mapped, where its type is not larger than the
     * one that is computed in. Widened for each product, which gives the same results.
     */
    STORED,
    /**
     * As {@link #STORED} where the file has 8 bits, else as integers from −127 to 127 with a scale
     * for each output channel: its largest magnitude is 127. Widened for each product.
     */
    INT8
}
