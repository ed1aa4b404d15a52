package dev.darkroom.training.proof;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NetworkEvaluator;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.objective.Distance;
import dev.darkroom.training.objective.LatentConsistency;
import dev.darkroom.training.objective.LatentConsistency.Networks;
import dev.darkroom.training.proof.Recipe.Noise;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.List;
import java.util.Map;

/**
 * Pictures from captions: every objective trains a PixArt with its T5 encoder to draw what the
 * captions say, guidance says it more clearly where captions are noisy, and a student does it in
 * two steps.
 */
@ExtendWith(OneThread.class)
class PicturesTest {
    private static final int BATCH = 128;
    private static final double RATE = 3e-3;

    /** Of the captions in training, where some are to be another picture's, as on the web. */
    private static final double WRONG = 0.33;

    private static final int SAMPLES = 200;
    private static final long SEED = Long.getLong("darkroom.proof.seed", 1);

    static List<Recipe> all() {
        return Recipe.all(Noise.OF_PICTURES);
    }

    private static Recipe recipe(String name) {
        return all().stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
    }

    @ParameterizedTest
    @MethodSource("all")
    void showsWhatTheCaptionSays(Recipe recipe) {
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var painter = Painter.random(SEED)) {
            var asked = Pictures.draw(SAMPLES, 0, generator);
            double before = asked.right(sample(recipe, painter, asked, 1, generator));
            train(recipe, painter, 600, 0, generator);
            double after = asked.right(sample(recipe, painter, asked, 1, generator));
            String actual = "%s: right %.3f, trained %.3f".formatted(recipe, before, after);
            assertTrue(before < 0.3, actual); // chance is 1/6
            assertTrue(after > 0.8, actual);
        }
    }

    @Test
    void guidanceSaysItMoreClearly() {
        Recipe recipe = recipe("flow");
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var painter = Painter.random(SEED)) {
            train(recipe, painter, 400, WRONG, generator);
            var asked = Pictures.draw(SAMPLES, 0, generator);
            double plain = asked.right(sample(recipe, painter, asked, 1, generator));
            double guided = asked.right(sample(recipe, painter, asked, 3, generator));
            String actual = "right %.3f, guided %.3f".formatted(plain, guided);
            assertTrue(plain < 0.85, actual);
            assertTrue(guided > 0.9, actual);
        }
    }

    /**
     * Trains.
     *
     * @param wrong see {@link Pictures#draw}
     */
    private static void train(
            Recipe recipe, Painter painter, int steps, double wrong, Generator generator) {
        Training.train(
                painter,
                steps,
                RATE,
                () -> {
                    var batch = Pictures.draw(BATCH, wrong, generator);
                    return recipe.loss(
                            painter.of(batch.dropped(0.1, generator)), batch.pictures(), generator);
                });
    }

    private static Tensor sample(
            Recipe recipe, Painter painter, Pictures asked, double scale, Generator generator) {
        return recipe.sample(guided(recipe, painter, asked, scale), generator, SAMPLES, 3, 8, 8);
    }

    /** A denoiser of what was asked for, whose estimates are pictures: from −1 to 1. */
    private static Denoiser guided(Recipe recipe, Painter painter, Pictures asked, double scale) {
        Denoiser denoiser;
        if (scale == 1) {
            denoiser = recipe.denoiser(painter.of(asked.captions()));
        } else {
            Guidance guidance = new ClassifierFree(scale);
            denoiser =
                    guidance.with(
                            new NetworkEvaluator(
                                    painter,
                                    Prediction.FLOW, // only the flow is guided here
                                    Map.of(
                                            Evaluator.CONDITIONAL,
                                            Painter.condition(asked.captions()),
                                            Evaluator.UNCONDITIONAL,
                                            Painter.condition(asked.unconditional())),
                                    guidance));
        }
        return (x, at) -> new Denoised(denoiser.denoise(x, at).x0().clamp(-1, 1));
    }

    /** Two evaluations of the teacher are two steps unguided; the student has learned to guide. */
    @Test
    void twoStepsOfAStudentBeatTwoOfItsTeacher() {
        Recipe recipe = recipe("v");
        NoiseSchedule schedule = Noise.OF_PICTURES.schedule();
        var levels = List.of(schedule.level(999), schedule.level(499), NoiseLevel.CLEAN);
        var objective =
                new LatentConsistency(
                        schedule,
                        Prediction.V_PREDICTION,
                        20,
                        10,
                        2,
                        2,
                        Distance.pseudoHuber(0.03));
        try (var scope = TensorScope.open();
                var generator = new Generator(SEED);
                var teacher = Painter.random(SEED);
                var student = Painter.random(SEED);
                var average = Painter.random(SEED)) {
            train(recipe, teacher, 500, WRONG, generator);
            Training.copy(teacher, student, 1);
            Training.copy(teacher, average, 1);
            Training.train(
                    student,
                    600,
                    RATE,
                    () -> {
                        Training.copy(student, average, 0.1);
                        var batch = Pictures.draw(BATCH, WRONG, generator);
                        Condition captions = Painter.condition(batch.captions());
                        Condition unconditional = Painter.condition(batch.unconditional());
                        return objective.loss(
                                new Networks(student, average, teacher, captions, unconditional),
                                batch.pictures(),
                                generator);
                    });
            var asked = Pictures.draw(SAMPLES, 0, generator);
            NoiseSource noise =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            Tensor start = Tensor.randn(generator, SAMPLES, 3, 8, 8);
            Denoiser distilled =
                    Consistency.boundary(recipe.denoiser(average.of(asked.captions())), 10);
            Tensor two = Solvers.lcm(distilled, start, levels, noise, StepListener.NONE);
            double right = asked.right(two);
            Denoiser undistilled = guided(recipe, teacher, asked, 1);
            double ddim =
                    asked.right(
                            Solvers.ddim(undistilled, start, levels, 0, noise, StepListener.NONE));
            double lcm =
                    asked.right(Solvers.lcm(undistilled, start, levels, noise, StepListener.NONE));
            String actual =
                    "right in two steps: teacher %.3f (DDIM), %.3f (LCM); student %.3f"
                            .formatted(ddim, lcm, right);
            assertTrue(right > Math.max(ddim, lcm) + 0.03, actual);
            assertTrue(right > 0.93, actual);
        }
    }
}
