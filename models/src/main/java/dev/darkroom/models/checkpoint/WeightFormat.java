package dev.darkroom.models.checkpoint;

import dev.darkroom.runtime.nn.LinearFormat;

import java.util.List;

/**
 * What the weights of the linear layers in a network's blocks are kept as. All others, and the
 * autoencoder's, are always kept in the type that is computed in.
 */
public enum WeightFormat {
    /**
     * {@link #COMPUTED} where that fits in memory; else {@link #STORED} if that does, and {@link
     * #INT8}, with a warning, if nothing else does.
     */
    AUTO(LinearFormat.COMPUTED, LinearFormat.STORED, LinearFormat.INT8),
    /** In the type that the network computes in. */
    COMPUTED(LinearFormat.COMPUTED),
    /**
     * In the type that the file has, and widened for each product. Pictures stay the same. On the
     * CPU, weights of a smaller type than the network computes in stay mapped from their files.
     */
    STORED(LinearFormat.STORED),
    /**
     * As integers of 8 bits with a scale for each output channel, made when the weights are loaded
     * and widened for each product. Pictures differ.
     */
    INT8(LinearFormat.INT8);

    private final List<LinearFormat> choices;

    WeightFormat(LinearFormat... choices) {
        this.choices = List.of(choices);
    }

    /** Returns what the weights may be kept as, in the order of preference. */
    public List<LinearFormat> choices() {
        return choices;
    }
}
