package dev.darkroom.models.diffusion;

import java.util.List;
import java.util.Objects;

/**
 * How some blocks of a network are made worse for an evaluation that guidance leads away from.
 *
 * @param kind what is done to them
 * @param layers which blocks: names from the root such as {@code mid_block} or {@code
 *     up_blocks.1.attentions.0}, or the numbers of a transformer's; none for the network's own
 *     choice
 * @param blur for {@link Kind#BLURRED_QUERIES}, the deviation in tokens, above 0; infinite for the
 *     mean of all
 */
public record Perturbation(Kind kind, List<String> layers, double blur) {
    /** What is done to a block. */
    public enum Kind {
        /** The block is left out (skip-layer guidance). */
        SKIPPED,

        /** Each token attends to itself alone (Ahn et al. 2024, arXiv:2403.17377). */
        IDENTITY_ATTENTION,

        /** The queries of self-attention are blurred (Hong 2024, arXiv:2408.00760). */
        BLURRED_QUERIES
    }

    public Perturbation {
        Objects.requireNonNull(kind, "kind");
        layers = List.copyOf(layers);
        if (!(blur > 0)) {
            throw new IllegalArgumentException("queries are blurred by more than 0, not " + blur);
        }
    }
}
