package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/** Where samplers get their standard normal noise. */
@FunctionalInterface
public interface NoiseSource {
    /** None: for a solver that adds no noise. */
    NoiseSource NONE =
            (shape, dtype, device) -> {
                throw new IllegalStateException("no noise was to be drawn");
            };

    /**
     * The next noise.
     *
     * @param shape {@code [N,…]}
     */
    Tensor draw(Shape shape, DType dtype, Device device);

    /** The next noise for latents. */
    default Tensor drawLike(Tensor x) {
        return ForeignCode.call(() -> draw(x.shape(), x.dtype(), x.device()));
    }
}
