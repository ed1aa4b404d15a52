package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.List;

/** What listeners and noise sources leave on the thread does not touch the sampling. */
class ForeignCodeTest {
    private static final List<NoiseLevel> LEVELS =
            List.of(
                    new NoiseLevel(1, 4, 0),
                    new NoiseLevel(1, 2, 0),
                    new NoiseLevel(1, 1, 0),
                    new NoiseLevel(1, 0, 0));

    private static double sample(NoiseSource noise, StepListener on) {
        try (var scope = TensorScope.open()) {
            Tensor start = Tensor.ones(DType.FLOAT64, 1, 2);
            Denoiser halving =
                    (x, at) -> {
                        assertFalse(Mode.current().recordsGradients(), "a mode was left");
                        return new Denoised(x.times(0.5), null, null);
                    };
            return Solvers.eulerAncestral(halving, start, LEVELS, noise, on).sum().item();
        }
    }

    @Test
    void leavesNothingBehind() {
        try (var generator = new Generator(1)) {
            NoiseSource noise =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            double expected = sample(noise, StepListener.NONE);
            generator.seed(1);
            long before = Memory.liveTensors();
            NoiseSource leaking =
                    (shape, dtype, device) -> {
                        Tensor random = noise.draw(shape, dtype, device);
                        TensorScope.open();
                        Mode.GRAD.enter();
                        random.plus(1);
                        return random;
                    };
            StepListener leavingModes =
                    step -> {
                        TensorScope.open();
                        Mode.GRAD.enter();
                        step.latents().plus(1);
                    };
            assertEquals(expected, sample(leaking, leavingModes));
            assertEquals(before, Memory.liveTensors());
        }
    }
}
