package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;

/**
 * Noise with a generator for each image: image i draws from PyTorch's CPU generator with seed + i,
 * whatever the device and the size of the batch, so that it is the image that it would be alone.
 * That is what diffusers does with a list of CPU generators. Or one generator for all, from which
 * diffusers draws a whole batch at once where it is given no list.
 */
public final class SeededNoise implements NoiseSource, AutoCloseable {
    private final List<Generator> generators = new ArrayList<>();
    private final int images;

    /**
     * Generators for a batch.
     *
     * @param seed the first image's
     */
    public SeededNoise(long seed, int images) {
        this(seed, images, false);
    }

    /**
     * Generators for a batch.
     *
     * @param seed the first image's
     * @param isOne whether one generator with that seed draws for all images together
     */
    public SeededNoise(long seed, int images, boolean isOne) {
        this.images = images;
        if (images < 1) {
            throw new IllegalArgumentException("a batch has at least one image, not " + images);
        }
        try {
            for (int i = 0; i < (isOne ? 1 : images); i++) {
                generators.add(new Generator(seed + i));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    @Override
    public Tensor draw(Shape shape, DType dtype, Device device) {
        if (shape.rank() == 0 || shape.size(0) != images) {
            throw new IllegalArgumentException(
                    "noise for " + images + " images can't have shape " + shape);
        }
        long[] one = shape.toArray();
        one[0] = images / generators.size();
        try (var scope = TensorScope.open()) {
            List<Tensor> noise = new ArrayList<>();
            for (Generator generator : generators) {
                noise.add(Tensor.randn(Shape.of(one), generator, dtype, Device.CPU));
            }
            return scope.keep(Ops.cat(0, noise).to(device));
        }
    }

    @Override
    public void close() {
        generators.forEach(Generator::close);
    }
}
