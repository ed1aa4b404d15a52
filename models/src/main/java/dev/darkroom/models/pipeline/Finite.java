package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/** Keeps numbers that overflowed from becoming a black picture. */
final class Finite {
    private Finite() {}

    /** Whether no element is infinite or NaN. Waits for the device. */
    static boolean is(Tensor values) {
        try (var scope = TensorScope.open()) {
            return values.isFinite().all().item() != 0;
        }
    }

    /**
     * Requires finite numbers.
     *
     * @param what they are, in the plural
     * @param remedy what helps, as an order
     * @throws PipelineException if one is infinite or NaN
     */
    static void require(Tensor values, String what, String remedy) {
        if (!is(values)) {
            try (var scope = TensorScope.open()) {
                long finite = (long) values.isFinite().sum().item();
                throw new PipelineException(
                        (values.elements() - finite)
                                + " of "
                                + values.elements()
                                + " numbers in "
                                + what
                                + " are infinite or not a number; "
                                + remedy);
            }
        }
    }
}
