package dev.darkroom.models.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.family.ControlNets;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.List;

class ControlNetTest {
    /** Conditioned on sizes, as those of Stable Diffusion XL. */
    private static final UnetConfig SIZED = UnetTest.FULL.contracting();

    private static final ControlNetConfig CONFIG =
            new ControlNetConfig(SIZED, List.of(4, 5, 6), false, false);

    /** Layers of the net that project the text. */
    private static final int KEYS_AND_VALUES = 2 * 6;

    private static ControlNet made() throws IOException {
        return Golden.network(w -> new ControlNet(w, CONFIG));
    }

    @Test
    void equalsDiffusers() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var full = Golden.unet("full");
                var golden = Golden.unet("control");
                var net = made()) {
            var condition =
                    new UnetCondition(
                            full.get("text"), full.get("pooled"), full.get("sizes"), null, null);
            Features made =
                    net.forward(
                            full.get("latents"),
                            full.get("timestep"),
                            condition,
                            AttendedText.of(condition.text(), SIZED),
                            net.embed(golden.get("picture")));
            assertEquals(4, made.skips().size());
            for (int i = 0; i < 4; i++) {
                golden.assertClose("skip_" + i, made.skips().get(i), 2e-6);
            }
            golden.assertClose("middle", made.middle(), 2e-6);
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** Where gradients are recorded, unet and net project the text in each evaluation. */
    @Test
    void aTextIsProjectedOnceForAllEvaluations() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var control = Golden.unet("control");
                var unet = Golden.<Unet>network(w -> new Unet(w, SIZED));
                var net = made()) {
            var condition =
                    Condition.of(Unet.TEXT, golden.get("text"))
                            .with(Unet.POOLED, golden.get("pooled"))
                            .with(Unet.SIZES, golden.get("sizes"));
            Tensor latents = golden.get("latents");
            var steered =
                    new SteeredUnet(unet, List.of(net))
                            .steered(
                                    List.of(
                                            new ControlNets.Control(
                                                    control.get("picture"), () -> 0.5, false)));
            var projections = new UnetTest.Projections(net, SIZED);
            Network bound = steered.bind(condition);
            assertEquals(KEYS_AND_VALUES, projections.applied());
            for (long each : new long[] {999, 1}) {
                Tensor timestep = Tensor.copyOf(new long[] {each}, 1);
                int before = projections.applied();
                float[] predicted = bound.predict(latents, timestep).toFloatArray();
                assertEquals(before, projections.applied());
                try (var mode = Mode.GRAD.enter()) {
                    float[] anew = bound.predict(latents, timestep).toFloatArray();
                    assertEquals(before + KEYS_AND_VALUES, projections.applied());
                    // Convolutions that may record gradients round differently.
                    assertArrayEquals(anew, predicted, 1e-5f);
                }
            }
        }
    }

    /** What is added is nothing where training begins. */
    @Test
    void aNetThatWasNotTrainedChangesNothing() {
        try (var scope = TensorScope.open();
                var unet = Weights.random(1, DType.FLOAT32, Device.CPU, w -> new Unet(w, SIZED));
                var net =
                        Weights.random(
                                2, DType.FLOAT32, Device.CPU, w -> new ControlNet(w, CONFIG))) {
            var condition =
                    Condition.of(Unet.TEXT, Tensor.ones(DType.FLOAT32, 1, 5, 6))
                            .with(Unet.POOLED, Tensor.ones(DType.FLOAT32, 1, 6))
                            .with(Unet.SIZES, Tensor.ones(DType.FLOAT32, 1, 6));
            Tensor latents = Tensor.ones(DType.FLOAT32, 1, 4, 4, 6);
            Tensor timestep = Tensor.copyOf(new float[] {7}, 1);
            Tensor picture = Tensor.ones(DType.FLOAT32, 1, 3, 16, 24);
            var steered = new SteeredUnet(unet, List.of(net));
            var control = new ControlNets.Control(picture, () -> 1, false);
            assertEquals(
                    0,
                    unet.bind(condition)
                            .predict(latents, timestep)
                            .minus(
                                    steered.steered(List.of(control))
                                            .bind(condition)
                                            .predict(latents, timestep))
                            .abs()
                            .max()
                            .item());
            var refused =
                    assertThrows(IllegalArgumentException.class, () -> steered.steered(List.of()));
            assertTrue(refused.getMessage().contains("1 ControlNets are not steered by 0"));
        }
    }
}
