package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/**
 * A request with the checkpoint's settings filled in.
 *
 * @param guidanceScale at most 1 for no guidance
 * @param guidanceIsTold whether the network is told the guidance, as a student that was distilled
 *     for it, instead of being asked without the condition too
 * @param picture size that was asked for, in pixels
 * @param sampled size that is sampled, in pixels; then scaled and cropped to {@code picture}
 */
record Plan(
        SampleRequest request,
        int steps,
        double guidanceScale,
        boolean guidanceIsTold,
        ResolutionBins.Size picture,
        ResolutionBins.Size sampled) {

    /** Whether the network is evaluated with and without the condition. */
    boolean isGuided() {
        return !guidanceIsTold && guidanceScale > 1;
    }

    /** The weight of the guidance, {@code [1]}, for a network that is told it; otherwise null. */
    @Nullable Tensor toldGuidance(Device device) {
        return guidanceIsTold
                ? Tensor.full(Shape.of(1), guidanceScale - 1, DType.FLOAT32, device)
                : null;
    }

    /** Rows of a batch for the network. */
    long evaluated() {
        return (isGuided() ? 2L : 1L) * request.batch();
    }
}
