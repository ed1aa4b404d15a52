package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Langevin;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.List;

/** What is trained is sampled as it was trained: with the best network for data N(0, s²). */
class TrainedDenoisersTest {
    private static final double S = 0.7;
    private static final ScoreMatching SCORE = new ScoreMatching(0.01, 5, 60);

    /** −sigma/(s² + sigma²)·x, which is sigma times the score. */
    private static Tensor score(Tensor x, Tensor index) {
        Tensor sigma = index.times(Math.log(500) / 59).exp().times(0.01).unsqueeze(1);
        return x.times(sigma).dividedBy(sigma.square().plus(S * S)).negated();
    }

    private static double deviation(Tensor x) {
        return Math.sqrt(x.variance(1, false, 0, 1).item());
    }

    private static void assertDenoises(Denoiser denoiser, NoiseLevel at) {
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor x = Tensor.randn(generator, 5, 3);
            double data = at.alpha() * S;
            double weight = at.alpha() * S * S / (data * data + at.sigma() * at.sigma());
            Tensor difference = denoiser.denoise(x, at).x0().minus(x.times(weight));
            assertEquals(0, difference.abs().max().item(), 2e-6);
        }
    }

    @Test
    void denoisersAtLevelsOfAllFamilies() {
        Denoiser edm = new Edm(S).denoiser((x, t) -> x.times(0));
        Denoiser score = SCORE.denoiser(TrainedDenoisersTest::score);
        for (NoiseLevel at :
                List.of(
                        NoiseLevel.varianceExploding(0.3, 0),
                        NoiseLevel.variancePreserving(0.4, 600),
                        NoiseLevel.flow(0.6, 600))) {
            assertDenoises(edm, at);
            assertDenoises(score, at);
        }
        var pure = new NoiseLevel(0, 1, 999);
        assertThrows(IllegalArgumentException.class, () -> assertDenoises(edm, pure));
        assertThrows(IllegalArgumentException.class, () -> assertDenoises(score, pure));
    }

    @Test
    void theProbabilityFlowEndsAtTheData() {
        try (var scope = TensorScope.open();
                var generator = new Generator(2)) {
            Tensor start = Tensor.randn(generator, 20_000, 2).times(Math.hypot(5, S));
            Denoiser denoiser = SCORE.denoiser(TrainedDenoisersTest::score);
            Tensor actual = Solvers.heun(denoiser, start, SCORE.levels(), StepListener.NONE);
            assertEquals(S, deviation(actual), 0.01);
        }
    }

    @Test
    void langevinDynamicsEndAtTheData() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            NoiseSource noise =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            Tensor start = Tensor.randn(generator, 20_000, 2).times(5);
            Denoiser denoiser = SCORE.denoiser(TrainedDenoisersTest::score);
            Tensor actual =
                    Langevin.annealed(
                            denoiser, start, SCORE.levels(), 20, 2e-5, noise, StepListener.NONE);
            assertEquals(S, deviation(actual), 0.02);
            assertThrows(
                    IllegalArgumentException.class,
                    () ->
                            Langevin.annealed(
                                    denoiser, start, List.of(), 20, 1, noise, StepListener.NONE));
        }
    }

    @Test
    void reflowLearnsTheStraightLinesOfItsPairs() {
        try (var scope = TensorScope.open();
                var generator = new Generator(4)) {
            // E[ε − x0 | x] = (t − (1 − t)·s²)/((1 − t)²s² + t²)·x
            Denoiser flow =
                    new NetworkDenoiser(
                            (x, timestep) -> {
                                double t = timestep.item() / 1000;
                                double data = (1 - t) * S * S;
                                return x.times((t - data) / ((1 - t) * data + t * t));
                            },
                            Prediction.FLOW);
            Tensor noise = Tensor.randn(generator, 500, 2);
            Tensor end = FlowMatching.rectified(flow, noise, 500);
            assertEquals(0, end.minus(noise.times(S)).abs().max().item(), 0.01);
            // The pairs' lines do not cross: their velocity (1 − s)·ε is known from x.
            double loss =
                    new FlowMatching(FlowTimes.UNIFORM)
                            .loss(
                                    (x, timesteps) -> {
                                        Tensor t = timesteps.dividedBy(1000).unsqueeze(1);
                                        Tensor scale = t.times(1 - S).plus(S);
                                        return x.times(1 - S).dividedBy(scale);
                                    },
                                    end,
                                    noise,
                                    generator)
                            .item();
            assertEquals(0, loss, 1e-4);
        }
    }
}
