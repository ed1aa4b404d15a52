package dev.darkroom.bench;

import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtText;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Deferred;
import dev.darkroom.runtime.nn.LinearFormat;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.util.Locale;

/**
 * One guided evaluation of PixArt-XL/2 (28 layers, 1152 wide, latents of 64×64, 120 text tokens),
 * with random weights. Waits for a line on its input before each round and prints the seconds, so
 * that tests/oracle/bench_pixart_step.py can take turns with it.
 */
public final class PixArtStep {
    private PixArtStep() {}

    /**
     * Arguments: the type, such as {@code float32}, and what the weights are kept as, such as
     * {@code int8}; without that, in the type.
     */
    public static void main(String[] arguments) throws IOException {
        DType dtype = DType.valueOf(arguments[0].toUpperCase(Locale.ROOT));
        try (var scope = TensorScope.open();
                var generator = new Generator(0);
                var random = Weights.random(0, dtype, Device.CPU, PixArtStep::network)) {
            var kept =
                    Deferred.of(
                            reader -> reader.take(WeightSource.of("random", random.state())),
                            true,
                            dtype,
                            Device.CPU,
                            Warnings.strict(),
                            PixArtStep::network);
            if (arguments.length > 1) {
                kept.format(LinearFormat.valueOf(arguments[1].toUpperCase(Locale.ROOT)));
            }
            kept.keep();
            PixArtTransformer network = kept.network();
            Tensor latents = Tensor.randn(generator, 2, 4, 64, 64).to(dtype);
            Tensor text = Tensor.randn(generator, 2, 120, 4096).to(dtype);
            Tensor timestep = Tensor.full(Shape.of(1), 500, DType.FLOAT32, Device.CPU);
            PixArtText prepared = network.prepare(text, null);
            System.out.println("ready");
            while (System.in.read() >= 0) {
                long begin = System.nanoTime();
                network.forward(latents, timestep, prepared, null).close();
                System.out.println((System.nanoTime() - begin) / 1e9);
            }
            network.close();
        }
    }

    private static PixArtTransformer network(Weights w) {
        return new PixArtTransformer(w, PixArtConfig.alphaXl2(64));
    }
}
