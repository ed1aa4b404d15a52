package dev.darkroom.models.family;

import dev.darkroom.models.diffusion.Condition;

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
}
