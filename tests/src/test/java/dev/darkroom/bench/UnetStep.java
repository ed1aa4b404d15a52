package dev.darkroom.bench;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.util.List;
import java.util.Locale;

/**
 * One guided evaluation of the U-Net of Stable Diffusion 1.5 or XL (latents of 64×64, 77 text
 * tokens), with random weights, bound to its condition as in sampling. Waits for a line on its
 * input before each round and prints the seconds, as tests/oracle/bench_unet_step.py does, so that
 * bench_turns.py can let them take turns.
 */
public final class UnetStep {
    private UnetStep() {}

    /** Arguments: {@code sd15} or {@code sdxl}, and the type, such as {@code float32}. */
    public static void main(String[] arguments) throws IOException {
        UnetConfig config = config(arguments[0]);
        DType dtype = DType.valueOf(arguments[1].toUpperCase(Locale.ROOT));
        try (var scope = TensorScope.open();
                var generator = new Generator(0);
                var network = Weights.random(0, dtype, Device.CPU, w -> new Unet(w, config))) {
            Tensor latents = Tensor.randn(generator, 2, 4, 64, 64).to(dtype);
            Tensor text = Tensor.randn(generator, 2, 77, config.crossAttentionDim()).to(dtype);
            Tensor pooled = Tensor.randn(generator, 2, 1280).to(dtype);
            Tensor sizes = Tensor.full(Shape.of(2, 6), 512, DType.FLOAT32, Device.CPU);
            Condition condition = Condition.of(Unet.TEXT, text);
            if (config.isSized()) {
                condition = condition.with(Unet.POOLED, pooled).with(Unet.SIZES, sizes);
            }
            Network bound = network.bind(condition);
            Tensor timestep = Tensor.full(Shape.of(1), 500, DType.FLOAT32, Device.CPU);
            System.out.println("ready");
            while (System.in.read() >= 0) {
                long begin = System.nanoTime();
                bound.predict(latents, timestep).close();
                System.out.println((System.nanoTime() - begin) / 1e9);
            }
        }
    }

    private static UnetConfig config(String model) {
        return switch (model) {
            case "sd15" -> UnetConfig.builder().crossAttentionDim(768).build();
            case "sdxl" ->
                    UnetConfig.builder()
                            .downBlockAttention(List.of(false, true, true))
                            .upBlockAttention(List.of(true, true, false))
                            .blockOutChannels(List.of(320, 640, 1280))
                            .crossAttentionDim(2048)
                            .attentionHeads(List.of(5, 10, 20))
                            .transformerLayers(List.of(1, 2, 10))
                            .onlyCrossAttention(List.of(false, false, false))
                            .useLinearProjection(true)
                            .additionTimeEmbedDim(256)
                            .projectionInputDim(2816)
                            .build();
            default -> throw new IllegalArgumentException(model + " is neither sd15 nor sdxl");
        };
    }
}
