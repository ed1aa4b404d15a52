package dev.darkroom.training.objective;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;

/**
 * Drops conditions at random, so that a network learns to predict without any, which
 * classifier-free guidance needs (Ho and Salimans 2022, arXiv:2207.12598, algorithm 1).
 *
 * @param probability with which a sample loses its condition, 0 … 1
 */
public record ConditionDropout(double probability) {
    public ConditionDropout {
        if (!(probability >= 0 && probability <= 1)) {
            throw new IllegalArgumentException(
                    "a condition is dropped with a probability from 0 to 1, not " + probability);
        }
    }

    /**
     * Draws which samples lose theirs.
     *
     * @return boolean {@code [N]} on the CPU
     */
    public Tensor draw(long samples, Generator generator) {
        try (var scope = TensorScope.open()) {
            Shape batch = Shape.of(samples);
            return scope.keep(
                    Tensor.rand(batch, generator, DType.FLOAT64, Device.CPU).lt(probability));
        }
    }

    /**
     * Replaces conditions.
     *
     * @param dropped which {@code [N]}; the same for all parts of a condition, such as text and its
     *     mask
     * @param condition such as labels {@code [N]} or text {@code [N,L,D]}
     * @param none the null condition, of the same type; a sample's shape without or with a leading
     *     1
     * @return as the condition
     */
    public static Tensor drop(Tensor dropped, Tensor condition, Tensor none) {
        try (var scope = TensorScope.open()) {
            long[] shape = new long[condition.rank()];
            Arrays.fill(shape, 1);
            shape[0] = condition.size(0);
            Tensor mask = dropped.to(condition.device()).reshape(shape); // [N,1,…]
            return scope.keep(mask.where(none, condition));
        }
    }
}
