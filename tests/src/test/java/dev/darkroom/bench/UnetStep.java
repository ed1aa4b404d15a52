package dev.darkroom.bench;

import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetCondition;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.util.Locale;

/**
 * One guided evaluation of the U-Net of Stable Diffusion 1.5 (latents of 64×64, 77 text tokens),
 * with random weights. Waits for a line on its input before each round and prints the seconds, so
 * that tests/oracle/bench_unet_step.py can take turns with it.
 */
public final class UnetStep {
    private UnetStep() {}

    /** Arguments: the type, such as {@code float32}. */
    public static void main(String[] arguments) throws IOException {
        DType dtype = DType.valueOf(arguments[0].toUpperCase(Locale.ROOT));
        var config = UnetConfig.builder().crossAttentionDim(768).build();
        try (var scope = TensorScope.open();
                var generator = new Generator(0);
                var network = Weights.random(0, dtype, Device.CPU, w -> new Unet(w, config))) {
            Tensor latents = Tensor.randn(generator, 2, 4, 64, 64).to(dtype);
            var text = UnetCondition.of(Tensor.randn(generator, 2, 77, 768).to(dtype));
            Tensor timestep = Tensor.full(Shape.of(1), 500, DType.FLOAT32, Device.CPU);
            System.out.println("ready");
            while (System.in.read() >= 0) {
                long begin = System.nanoTime();
                network.forward(latents, timestep, text).close();
                System.out.println((System.nanoTime() - begin) / 1e9);
            }
        }
    }
}
