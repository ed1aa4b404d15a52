package dev.darkroom.models.family;

import dev.darkroom.runtime.Tensor;

/** What is reported of a run while it goes on. */
public interface Report {
    /** Reports nothing. */
    Report NONE =
            new Report() {
                @Override
                public void used(String name, Object value) {}

                @Override
                public void warn(String warning) {}

                @Override
                public void traced(String name, Tensor value) {}
            };

    /** A setting as it was used. */
    void used(String name, Object value);

    /** Something that the caller should know; the same is said once. */
    void warn(String warning);

    /** An intermediate result; ends with the scope. */
    void traced(String name, Tensor value);
}
