package dev.darkroom.training.objective;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;

/**
 * How far two batches are from each other, for each sample: float32 where networks have a narrower
 * type, float64 where they do.
 */
@FunctionalInterface
public interface Distance {
    /** The mean of the squares of a sample's differences. */
    Distance SQUARED = Tensor::square;

    /**
     * Returns what each element's difference counts: {@code [N,…]} to {@code [N,…]}, of its type.
     */
    Tensor of(Tensor difference);

    /**
     * √(d² + c²) − c, a square near 0 and an absolute value far from it (Song and Dhariwal 2023,
     * arXiv:2310.14189, section 3.3; for each element, as in latent consistency distillation).
     *
     * @param c where the one becomes the other, &gt; 0
     */
    static Distance pseudoHuber(double c) {
        if (!(c > 0)) {
            throw new IllegalArgumentException(
                    "the pseudo-Huber distance needs c > 0, not " + c + "; SQUARED has none");
        }
        return difference -> difference.square().plus(c * c).sqrt().minus(c);
    }

    /**
     * Each sample's mean.
     *
     * @return {@code [N]}, float32, or float64 where one is
     */
    default Tensor between(Tensor a, Tensor b) {
        return of(wide(a).minus(wide(b))).flatten(1, -1).mean(false, 1);
    }

    private static Tensor wide(Tensor x) {
        return x.dtype() == DType.FLOAT64 ? x : x.to(DType.FLOAT32);
    }
}
