package dev.darkroom.models.config;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;

/** Checks of options that networks' configs have, by the names that they have there. */
public final class Option {
    private Option() {}

    /**
     * Requires something of an option.
     *
     * @param option its name, and what is required of it where that is not plain
     * @throws IllegalArgumentException if it does not hold
     */
    public static void require(boolean holds, String option, @Nullable Object value) {
        Objects.requireNonNull(option, "option");
        if (!holds) {
            throw new IllegalArgumentException(option + " can't be " + value);
        }
    }

    /**
     * Requires as many elements as another option has or says.
     *
     * @param values null where the option is not given
     * @throws IllegalArgumentException if there are more or fewer
     */
    public static void requireSize(
            String option, @Nullable List<?> values, int size, String other) {
        Objects.requireNonNull(option, "option");
        Objects.requireNonNull(other, "other");
        if (values != null && values.size() != size) {
            throw new IllegalArgumentException(
                    option
                            + " must have "
                            + size
                            + " elements, as "
                            + other
                            + " says, not "
                            + values.size());
        }
    }
}
