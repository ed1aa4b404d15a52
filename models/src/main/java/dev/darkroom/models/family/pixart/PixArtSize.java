package dev.darkroom.models.family.pixart;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;

/**
 * The sizes of pictures that PixArt-α 1024 is conditioned on.
 *
 * @param resolution height and width in pixels, {@code [N,2]}, or {@code [1,2]} for all
 * @param aspectRatio height / width, {@code [N,1]}, or {@code [1,1]} for all
 */
public record PixArtSize(Tensor resolution, Tensor aspectRatio) {
    public PixArtSize {
        if (resolution.rank() != 2
                || aspectRatio.rank() != 2
                || resolution.size(1) != 2
                || aspectRatio.size(1) != 1
                || resolution.size(0) != aspectRatio.size(0)) {
            throw new IllegalArgumentException(
                    "sizes need a resolution [N,2] and an aspect ratio [N,1], not "
                            + resolution.shape()
                            + " and "
                            + aspectRatio.shape());
        }
    }

    /**
     * Makes one size for all pictures of a batch.
     *
     * @param height in pixels
     * @param width in pixels
     * @param dtype the network's; the numbers are rounded to it, as diffusers does
     */
    public static PixArtSize of(double height, double width, DType dtype) {
        return new PixArtSize(
                Tensor.copyOf(new double[] {height, width}, 1, 2).to(dtype),
                Tensor.copyOf(new double[] {height / width}, 1, 1).to(dtype));
    }
}
