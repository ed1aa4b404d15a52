package dev.darkroom.training.proof;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.objective.LossWeight;
import dev.darkroom.training.proof.Recipe.Noise;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Points in the plane: every objective trains a network whose samples are the data's. With {@code
 * -Ddarkroom.proof.picture=FILE} they are drawn.
 */
@ExtendWith(OneThread.class)
class ToysTest {
    private static final int BATCH = 256;
    private static final int STEPS = 1500;
    private static final int SAMPLES = 1000;
    private static final long SEED = Long.getLong("darkroom.proof.seed", 1);

    private static final @Nullable String PICTURE = System.getProperty("darkroom.proof.picture");
    private static final Scatter SCATTER = new Scatter(Recipe.all(Noise.OF_POINTS).size());

    @AfterAll
    static void draw() throws IOException {
        if (PICTURE != null) {
            SCATTER.write(Path.of(PICTURE));
        }
    }

    static Stream<Arguments> all() {
        return Stream.of(Points.values())
                .flatMap(
                        points ->
                                Recipe.all(Noise.OF_POINTS).stream()
                                        .map(each -> Arguments.of(points, each)));
    }

    @ParameterizedTest
    @MethodSource("all")
    void samplesAreTheDatas(Points points, Recipe recipe) {
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var network = PointNetwork.random(SEED)) {
            Tensor data = points.draw(SAMPLES, generator);
            double before = Points.energyDistance(sample(recipe, network, generator), data);
            Training.train(
                    network,
                    STEPS,
                    4e-3,
                    () -> recipe.loss(network::forward, points.draw(BATCH, generator), generator));
            Tensor samples = sample(recipe, network, generator);
            if (PICTURE != null) {
                SCATTER.add(recipe.name(), samples);
            }
            double after = Points.energyDistance(samples, data);
            String actual =
                    "%s, %s: energy distance %.4f, trained %.4f"
                            .formatted(points, recipe, before, after);
            assertTrue(before > 0.05, actual);
            assertTrue(after < 0.02, actual);
        }
    }

    /**
     * What fills the rings in where x0 is learned: of the error of x̂0, the last steps need what is
     * left at little noise, and that is a small part of its mean over all timesteps.
     */
    @Test
    void x0IsSharpWhereLittleNoiseCountsMore() {
        double uniform = offTheRings(LossWeight.UNIFORM);
        double weighted = offTheRings(LossWeight.minSnr(5));
        assertTrue(weighted < uniform / 2, () -> uniform + " and " + weighted);
    }

    /** The share of samples that are farther than 0.2 from both rings. */
    private static double offTheRings(LossWeight weight) {
        Recipe recipe = Recipe.x0(Noise.OF_POINTS, weight);
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var network = PointNetwork.random(SEED)) {
            Training.train(
                    network,
                    STEPS,
                    4e-3,
                    () ->
                            recipe.loss(
                                    network::forward,
                                    Points.RINGS.draw(BATCH, generator),
                                    generator));
            Tensor radius = sample(recipe, network, generator).norm(false, 1); // [N]
            Tensor off = radius.minus(0.8).abs().minimum(radius.minus(1.8).abs());
            return off.gt(0.2).to(DType.FLOAT32).mean().item();
        }
    }

    private static Tensor sample(Recipe recipe, PointNetwork network, Generator generator) {
        return recipe.sample(recipe.denoiser(network::forward), generator, SAMPLES, 2);
    }
}
