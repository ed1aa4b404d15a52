package dev.darkroom.models.family;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.text.TextualInversion;

import java.io.IOException;
import java.util.List;

/** Makes conditions of what a request asks for. */
public interface Conditioner {
    /**
     * Refuses what the family does not take, before anything is computed.
     *
     * @throws IllegalArgumentException which says what it takes
     */
    void require(Inputs inputs);

    /**
     * The condition that is asked for.
     *
     * @param size as it is sampled
     * @return one row for all pictures, or one for each; in the scope that is open
     */
    Condition encode(Inputs inputs, Size size, Report report);

    /**
     * The condition that guidance leads away from: the negative prompt, or none.
     *
     * @param size as it is sampled
     * @return one row for all pictures, or one for each; in the scope that is open
     */
    Condition without(Inputs inputs, Size size, Report report);

    /**
     * Returns this conditioner with learned embeddings that prompts may name.
     *
     * @throws IOException if it takes none, or one does not fit
     */
    default Conditioner withEmbeddings(List<TextualInversion> embeddings) throws IOException {
        if (embeddings.isEmpty()) {
            return this;
        }
        throw new IOException(
                embeddings.getFirst().file()
                        + " can't be used with this checkpoint: learned embeddings are for CLIP,"
                        + " which its text encoder is not");
    }

    /**
     * The condition on nothing in particular, as long as the others of the same request.
     *
     * @param size as it is sampled
     * @return one row for all pictures, or one for each; in the scope that is open
     */
    default Condition empty(Inputs inputs, Size size, Report report) {
        return without(inputs.withoutNegative(), size, report);
    }
}
