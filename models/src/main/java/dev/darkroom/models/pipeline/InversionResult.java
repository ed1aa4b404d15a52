package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The latents of an inverted picture and how they came about. They belong to no scope: close this.
 *
 * @param latents on the CPU {@code [N,C,h,w]}, scaled for the sampler, as {@link Pipeline#sample}
 *     takes them
 * @param run the settings that were in force, with no pictures
 */
public record InversionResult(Tensor latents, SampleResult run) implements AutoCloseable {
    public InversionResult {
        Objects.requireNonNull(latents, "latents");
        Objects.requireNonNull(run, "run");
    }

    /** The request with what inversion filled in: sampler and guidance. */
    public SampleRequest request() {
        return run.request();
    }

    /** Every setting that was in force, by name. */
    public Map<String, Object> used() {
        return run.used();
    }

    /** What the caller may want to know, such as a text that was cut. */
    public List<String> warnings() {
        return run.warnings();
    }

    @Override
    public void close() {
        TensorScope.release(latents);
    }
}
