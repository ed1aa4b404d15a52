package dev.darkroom.training.objective;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.testing.Golden;

import java.util.ArrayList;
import java.util.List;

/**
 * The network of {@code tests/oracle/distillation.py} and {@code objectives.py}: one hidden layer,
 * conditioned on time and guidance.
 */
record TinyNetwork(List<Tensor> weights) {
    static TinyNetwork of(Golden golden, String name, boolean trained) throws Exception {
        List<Tensor> weights = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            weights.add(golden.get(name + "." + i).copy().requiresGrad(trained));
        }
        return new TinyNetwork(weights);
    }

    /** {@code [N,…]} with times and guidance {@code [N]}. */
    Tensor forward(Tensor x, Tensor time, Tensor guidance) {
        Tensor hidden =
                Ops.linear(x.flatten(1, -1), weights.get(0), null)
                        .plus(time.to(DType.FLOAT32).unsqueeze(1).times(weights.get(1)))
                        .plus(guidance.unsqueeze(1).times(weights.get(2)))
                        .tanh();
        long[] shape = x.shape().toArray();
        shape[1] = -1; // twice the channels, if there is a variance
        return Ops.linear(hidden, weights.get(3), null).reshape(shape);
    }

    /** With a guidance of 1. */
    Tensor forward(Tensor x, Tensor time) {
        return forward(x, time, Tensor.ones(DType.FLOAT32, x.size(0)));
    }

    void assertGradients(Golden golden, double bound) throws Exception {
        for (int i = 0; i < weights.size(); i++) {
            golden.assertClose("gradient." + i, weights.get(i).grad(), bound);
        }
    }
}
