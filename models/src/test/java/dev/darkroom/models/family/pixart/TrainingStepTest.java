package dev.darkroom.models.family.pixart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

import java.util.List;

/** A whole training step against PyTorch's and diffusers', from {@code training_step.py}. */
class TrainingStepTest {
    private static final double BOUND = 1e-5;
    private static final PixArtConfig CONFIG =
            PixArtConfig.builder()
                    .numAttentionHeads(2)
                    .attentionHeadDim(8)
                    .numLayers(2)
                    .crossAttentionDim(16)
                    .sampleSize(8)
                    .interpolationScale(1.0)
                    .useAdditionalConditions(false)
                    .captionChannels(12)
                    .build();

    @Test
    void forwardLossGradientsAndUpdate() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.file("training_step.safetensors");
                var network =
                        Weights.load(
                                golden.weights(),
                                DType.FLOAT32,
                                Device.CPU,
                                w -> new PixArtTransformer(w, CONFIG));
                var optimizer =
                        new AdamW(
                                List.of(ParameterGroup.of(network, 1e-3, 0.01)),
                                new AdamW.Options(0.9, 0.999, 1e-2));
                var mode = Mode.GRAD.enter()) {
            network.train();
            var text = network.prepare(golden.get("embeds"), golden.get("mask"));
            Tensor predicted =
                    network.forward(golden.get("latents"), golden.get("timestep"), text, null);
            golden.assertClose("predicted", predicted, BOUND);
            Tensor loss = Ops.meanSquaredError(predicted.narrow(1, 0, 4), golden.get("noise"));
            golden.assertClose("loss", loss, BOUND);
            loss.backward();
            double largest = 0;
            for (var parameter : network.trainable().values()) {
                largest = Math.max(largest, parameter.value().grad().abs().max().item());
            }
            for (var each : network.trainable().entrySet()) {
                Tensor gradient = each.getValue().value().grad();
                String key = "gradient." + each.getKey();
                if (key.endsWith("to_k.bias")) {
                    // It shifts all scores alike: its gradient is rounding, here and there.
                    assertTrue(gradient.abs().max().item() < 1e-6 * largest, key);
                } else {
                    golden.assertClose(key, gradient, BOUND);
                }
            }
            optimizer.step(1);
            for (var each : network.trainable().entrySet()) {
                golden.assertClose("after." + each.getKey(), each.getValue().value(), BOUND);
            }
        }
        assertEquals(before, Memory.liveTensors());
    }
}
