package dev.darkroom.models.diffusion.diffusers;

import java.util.function.DoubleUnaryOperator;

/**
 * The sigmas that a model was trained at.
 *
 * @param first the timestep of the least, 0 or for flow matching 1
 * @param count how many there are, one for each whole timestep
 * @param sigma by the timestep, between whole ones too
 * @param isFlow whether they are shares of the noise rather than noise over data
 */
record ModelSigmas(int first, int count, DoubleUnaryOperator sigma, boolean isFlow) {
    double at(double timestep) {
        return sigma.applyAsDouble(timestep);
    }

    /** The sigma of an index from 0 for the least to {@code count} − 1. */
    double ofIndex(double index) {
        return at(first + index);
    }

    double least() {
        return ofIndex(0);
    }

    double greatest() {
        return ofIndex(count - 1);
    }
}
