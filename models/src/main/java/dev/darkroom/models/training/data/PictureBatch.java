package dev.darkroom.models.training.data;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * Decoded pictures of one size.
 *
 * @param rgb red, green and blue of each pixel, row by row, picture by picture
 * @param height in pixels
 * @param width in pixels
 * @param examples which of the data set they are
 */
@SuppressWarnings("ArrayRecordComponent") // raw buffers
public record PictureBatch(byte[] rgb, int height, int width, int[] examples) {
    /** The pictures, float32 {@code [N,3,H,W]} from −1 to 1, in the caller's scope. */
    public Tensor images() {
        try (var scope = TensorScope.open()) {
            Tensor pixels = Tensor.copyOf(rgb, examples.length, height, width, 3); // uint8
            return scope.keep(
                    pixels.permute(0, 3, 1, 2)
                            .to(DType.FLOAT32)
                            .contiguous()
                            .dividedBy(127.5)
                            .minus(1));
        }
    }
}
