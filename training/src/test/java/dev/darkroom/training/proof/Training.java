package dev.darkroom.training.proof;

import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroups;

import java.util.function.Supplier;

/** Training of small networks, as the proofs share it. */
public final class Training {
    private Training() {}

    /**
     * Trains with AdamW, at a rate that falls to 0 in the second half.
     *
     * @param loss of a batch that it draws
     */
    static void train(Module network, int steps, double rate, Supplier<Tensor> loss) {
        network.train();
        var groups = ParameterGroups.of(network).decayed(rate, 0);
        try (var optimizer = new AdamW(groups, new AdamW.Options(0.9, 0.99, 1e-8))) {
            for (int step = 0; step < steps; step++) {
                try (var scope = TensorScope.open();
                        var mode = Mode.GRAD.enter()) {
                    optimizer.zeroGrad();
                    loss.get().backward();
                    optimizer.step(Math.min(1, 2.0 * (steps - step) / steps));
                }
            }
        }
        network.eval();
    }

    /**
     * Moves a network's weights toward another's, as its moving average does; all of them for 1.
     */
    public static void copy(Module from, Module to, double share) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            var weights = from.parameters();
            to.parameters()
                    .forEach(
                            (name, parameter) ->
                                    parameter
                                            .value()
                                            .lerpInPlace(weights.get(name).value(), share));
        }
    }
}
