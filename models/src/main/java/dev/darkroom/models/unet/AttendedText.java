package dev.darkroom.models.unet;

import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Attention.KeyValue;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Segments;

import java.util.HashMap;
import java.util.Map;

/**
 * A text that the transformer blocks attend to.
 *
 * @param states the text encoder's {@code [N,L,E]}
 * @param projected keys and values of the attentions that share them between evaluations; any other
 *     attention projects the states itself
 */
record AttendedText(Tensor states, Map<Attention, KeyValue> projected) {
    AttendedText {
        projected = Map.copyOf(projected);
    }

    /**
     * Returns a text that each evaluation projects anew.
     *
     * @throws IllegalArgumentException if it has another shape than the config says
     */
    static AttendedText of(Tensor states, UnetConfig config) {
        if (states.rank() != 3 || states.size(2) != config.crossAttentionDim()) {
            throw new IllegalArgumentException(
                    "U-Net: the text "
                            + states.shape()
                            + " must be [N,L,"
                            + config.crossAttentionDim()
                            + "]");
        }
        return unprojected(states);
    }

    private static AttendedText unprojected(Tensor states) {
        return new AttendedText(states, Map.of());
    }

    /**
     * Projects the text for all blocks of a network, once for all evaluations that record no
     * gradients. The keys and values belong to the scope that is open.
     */
    AttendedText projectedFor(Module network) {
        if (Mode.current().recordsGradients()) {
            return this;
        }
        var all = new HashMap<Attention, KeyValue>();
        try (var scope = TensorScope.open()) {
            for (TransformerBlock block : network.modules(TransformerBlock.class).values()) {
                for (Attention attention : block.textAttentions()) {
                    KeyValue own = attention.keyValue(states);
                    scope.keep(own.key());
                    scope.keep(own.value());
                    all.put(attention, own);
                }
            }
        }
        return new AttendedText(states, all);
    }

    /**
     * Returns the text for one evaluation. Where gradients are recorded the segments project it,
     * since what they use is recorded in them.
     */
    AttendedText evaluated(Segments segments) {
        return Mode.current().recordsGradients() ? unprojected(segments.boundary(states)) : this;
    }

    /** Returns the text inside a segment, one of whose inputs its states are. */
    AttendedText in(Tensor input) {
        return new AttendedText(input, projected);
    }

    /**
     * Computes the attention of positions to the text.
     *
     * @param x {@code [N,T,C]}
     * @return {@code [N,T,C]}
     */
    Tensor attend(Attention attention, Tensor x) {
        KeyValue own = projected.get(attention);
        return own == null ? attention.forward(x, states, null) : attention.forward(x, own, null);
    }
}
