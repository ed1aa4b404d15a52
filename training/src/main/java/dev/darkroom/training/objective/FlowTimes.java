package dev.darkroom.training.objective;

import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;

import java.util.Arrays;

/** How a flow's times are distributed: 0 is data, 1 is noise. */
@FunctionalInterface
public interface FlowTimes {
    /** All times alike (Liu et al. 2022, arXiv:2209.03003, equation 1). */
    FlowTimes UNIFORM = Batches::uniform;

    /**
     * Draws a time for each sample.
     *
     * @param clean the batch {@code [N,C,…]}
     * @return N of them, 0 … 1
     */
    double[] draw(Tensor clean, Generator generator);

    /**
     * Normal in ln(t/(1 − t)), so that the middle is seen more often (Esser et al. 2024,
     * arXiv:2403.03206, equation 19).
     *
     * @param mean above 0 for more noise; 0 there
     * @param deviation 1 there
     */
    static FlowTimes logitNormal(double mean, double deviation) {
        if (!Double.isFinite(mean) || !(deviation > 0) || Double.isInfinite(deviation)) {
            throw new IllegalArgumentException(
                    "logit-normal times need a finite mean and a deviation > 0, not "
                            + mean
                            + " and "
                            + deviation);
        }
        return (clean, generator) ->
                Arrays.stream(Batches.normal(clean, generator))
                        .map(z -> 1 / (1 + Math.exp(-(mean + deviation * z))))
                        .toArray();
    }
}
