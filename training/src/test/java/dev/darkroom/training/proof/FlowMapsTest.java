package dev.darkroom.training.proof;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.FlowMapNetwork;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.objective.FlowMatching;
import dev.darkroom.training.objective.FlowTimes;
import dev.darkroom.training.objective.MeanFlow;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.objective.Shortcut;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Flow maps learn to go from noise to the points of the toys in one step, and in four. */
@ExtendWith(OneThread.class)
class FlowMapsTest {
    private static final int BATCH = 256;
    private static final int SAMPLES = 1000;
    private static final long SEED = Long.getLong("darkroom.proof.seed", 1);

    /** MeanFlow's targets are noisier, so that it learns more slowly. */
    static Stream<Arguments> all() {
        return Stream.of(Points.values())
                .flatMap(
                        points ->
                                Stream.of(
                                        Arguments.of(
                                                points,
                                                new MeanFlow(FlowTimes.UNIFORM, 0.5, 0.5),
                                                3000,
                                                2e-3),
                                        Arguments.of(
                                                points,
                                                new Shortcut(FlowTimes.UNIFORM, 0.5, 32),
                                                1500,
                                                4e-3)));
    }

    @ParameterizedTest
    @MethodSource("all")
    void fewStepsLeadToTheData(Points points, Objective objective, int steps, double rate) {
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var network = PointNetwork.ofTwoTimes(SEED)) {
            FlowMapNetwork map = network::forward;
            Training.train(
                    network,
                    steps,
                    rate,
                    () -> objective.loss(map, points.draw(BATCH, generator), generator));
            Tensor data = points.draw(SAMPLES, generator);
            Tensor noise = Tensor.randn(generator, SAMPLES, 2);
            double one = Points.energyDistance(sample(map, Solver.flowMap(), noise, 1), data);
            double four = Points.energyDistance(sample(map, Solver.flowMap(), noise, 4), data);
            double euler = Points.energyDistance(sample(map, Solver.euler(), noise, 1), data);
            String actual =
                    "%s, %s: energy distance %.4f in one step, %.4f in four; Euler's in one %.4f"
                            .formatted(
                                    points, objective.getClass().getSimpleName(), one, four, euler);
            assertTrue(one < 0.02 && four < 0.02 && euler > 0.3, actual);
        }
    }

    private static Tensor sample(FlowMapNetwork map, Solver solver, Tensor noise, int steps) {
        List<NoiseLevel> levels =
                IntStream.rangeClosed(0, steps)
                        .mapToObj(i -> FlowMatching.level(1 - (double) i / steps))
                        .toList();
        FlowMapNetwork each =
                (x, timesteps, ends) -> map.predict(x, repeated(timesteps, x), repeated(ends, x));
        return solver.solve(
                new NetworkDenoiser(each, Prediction.FLOW),
                noise,
                levels,
                NoiseSource.NONE,
                StepListener.NONE);
    }

    private static Tensor repeated(Tensor timestep, Tensor x) {
        return timestep.repeatInterleave(x.size(0), 0);
    }
}
