package dev.darkroom.runtime.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;

import java.util.List;

/** Thousands of training steps leave no more tensors than a few. */
class FlatTrainingTest {
    private static final int WARM_UP = 10;
    private static final int STEPS = 5_000;

    @Test
    void liveTensorsStayAsTheyAre() {
        long before = Memory.liveTensors();
        try (var generator = new Generator(1);
                var network =
                        Weights.random(
                                2,
                                DType.BFLOAT16,
                                Device.CPU,
                                w -> new Attention(w, Attention.Sizes.self(16, 2, true)));
                var optimizer =
                        new MasterWeights(
                                ParameterGroups.of(network).decayed(1e-3, 0.01),
                                masters ->
                                        Optimizers.together(
                                                List.of(
                                                        new Muon(
                                                                masters.subList(0, 1),
                                                                Muon.Options.DEFAULTS),
                                                        new AdamW(
                                                                masters.subList(1, 2),
                                                                AdamW.Options.DEFAULTS))));
                var average = new Ema(optimizer.masters(), Ema.Options.DEFAULTS)) {
            network.train();
            long live = 0;
            for (int step = 0; step < WARM_UP + STEPS; step++) {
                if (step == WARM_UP) {
                    live = Memory.liveTensors();
                }
                step(network, optimizer, generator);
                average.update(step);
            }
            assertEquals(live, Memory.liveTensors());
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static void step(Attention network, MasterWeights optimizer, Generator generator) {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            Tensor x = Tensor.randn(generator, 2, 6, 16).to(DType.BFLOAT16);
            optimizer.zeroGrad();
            network.forward(x).minus(x).square().mean().backward();
            optimizer.collect();
            GradientNorm.clip(optimizer.masters().values(), 1);
            optimizer.step(1);
        }
    }
}
