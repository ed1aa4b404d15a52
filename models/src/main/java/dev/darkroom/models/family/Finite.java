package dev.darkroom.models.family;

import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/** Keeps numbers that overflowed from becoming a black picture. */
public final class Finite {
    /** Helps where 16 bits overflowed. */
    public static final String FLOAT32 = "compute in float32 (--dtype float32)";

    private Finite() {}

    /**
     * Whether no element is infinite or NaN, as where there are no elements. Waits for the device.
     */
    public static boolean is(Tensor values) {
        if (values.device().type() == Device.Type.META) {
            return true;
        }
        try (var scope = TensorScope.open()) {
            return values.isFinite().all().item() != 0;
        }
    }

    /**
     * Requires finite numbers.
     *
     * @param what they are, in the plural
     * @param remedy what helps, as an order
     * @throws ModelException if one is infinite or NaN
     */
    public static void require(Tensor values, String what, String remedy) {
        if (!is(values)) {
            try (var scope = TensorScope.open()) {
                long finite = (long) values.isFinite().sum().item();
                throw new ModelException(
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
