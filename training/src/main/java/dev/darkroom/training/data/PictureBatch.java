package dev.darkroom.training.data;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;

/**
 * Pictures of one size.
 *
 * @param firstSample the number of the first one in the run; the others follow
 * @param examples what they are
 * @param height of each, in pixels
 * @param width of each, in pixels
 * @param pixels red, green and blue of each pixel, row by row, {@code [N,H,W,3]}
 */
@SuppressWarnings("ArrayRecordComponent") // a raw buffer; copies would double a batch's memory
public record PictureBatch(
        long firstSample, List<Example> examples, int height, int width, byte[] pixels) {
    public PictureBatch {
        examples = List.copyOf(examples);
    }

    /**
     * Returns the pictures as networks see them.
     *
     * @return float32 {@code [N,3,H,W]} from −1 to 1, on the CPU
     */
    public Tensor images() {
        try (var scope = TensorScope.open()) {
            Tensor bytes = Tensor.copyOf(pixels, examples.size(), height, width, 3);
            Tensor planes = bytes.permute(0, 3, 1, 2).contiguous(); // [N,3,H,W]
            return scope.keep(planes.to(DType.FLOAT32).dividedBy(127.5).minus(1));
        }
    }
}
