package dev.darkroom.recipe.classifier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.recipe.classifier.ClassifierTraining.Labelled;
import dev.darkroom.recipe.data.FixturePictures;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import picocli.CommandLine;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/** A classifier of noisy latents: that it learns, and that its command guides by it. */
class NoisyClassifierTest {
    private static final NoiseSchedule SCHEDULE = NoiseSchedule.linear(1000, 0.0001, 0.02);

    /** Latents of three classes: each is bright in another channel. */
    private static Labelled latents(int count, long seed) {
        try (var generator = new Generator(seed)) {
            var classes = new long[count];
            Tensor[] latents = new Tensor[count];
            for (int i = 0; i < count; i++) {
                classes[i] = i % 3;
                Tensor noise = Tensor.randn(generator, 1, 1, 8, 8).times(0.2);
                Tensor bright = noise.plus(1);
                latents[i] =
                        Ops.cat(
                                1,
                                i % 3 == 0 ? bright : noise,
                                i % 3 == 1 ? bright : noise,
                                i % 3 == 2 ? bright : noise);
            }
            return new Labelled(Ops.cat(0, latents), classes);
        }
    }

    @Test
    void tellsClassesApartWhereThereIsASignal() {
        long live = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            var training = new ClassifierTraining(SCHEDULE, 3, 8, 100, 24, 1);
            try (var classifier = training.train(latents(48, 2))) {
                Labelled unseen = latents(60, 3);
                double clear = training.accuracy(classifier, unseen, 100);
                assertTrue(clear > 0.95, "" + clear);
                double noise = training.accuracy(classifier, unseen, 999);
                assertTrue(noise < 0.7, "noise tells nothing, but " + noise);
                assertFalse(classifier.isTraining());
                scales(classifier, unseen);
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    /** Latents of any scale are seen at the scale that networks were trained on. */
    private static void scales(NoisyClassifier classifier, Labelled data) {
        Tensor x = data.latents().narrow(0, 0, 2);
        var classifies = classifier.asking(0, 1);
        Tensor expected = classifies.logProbability(x, new NoiseLevel(0.8, 0.6, 400));
        Tensor exploded = classifies.logProbability(x.times(5), new NoiseLevel(4, 3, 400));
        assertEquals(0, expected.minus(exploded).abs().max().item(), 1e-4);
        assertEquals(2, expected.size(0));
        assertTrue(expected.max().item() <= 0);
    }

    /** Every line is written; whether guidance helps is measured with a longer training. */
    @Test
    void theCommandReportsAccuracyAndGuidedPictures(@TempDir Path folder) throws IOException {
        Path data = Files.createDirectory(folder.resolve("data"));
        FixturePictures.write(data, 7, 16, 8);
        var out = new StringWriter();
        int exit =
                new CommandLine(new ClassifierCommand())
                        .setOut(new PrintWriter(out, true))
                        .execute(
                                "--data", data.toString(),
                                "--out", folder.resolve("out").toString(),
                                "--pictures", "2",
                                "--held-out", "1",
                                "--steps", "4",
                                "--batch", "8",
                                "--width", "8",
                                "--count", "2",
                                "--weights", "0,3",
                                "--sampling-steps", "2",
                                "--threads", "1");
        assertEquals(0, exit, out.toString());
        assertTrue(out.toString().contains("| 950 | "), out.toString());
        assertTrue(out.toString().contains("| 0.0 | "), out.toString());
        assertTrue(out.toString().contains("| 3.0 | "), out.toString());
        assertTrue(Files.exists(folder.resolve("out/classifier.safetensors")));
        assertTrue(Files.exists(folder.resolve("out/guided-3.0.png")));
    }
}
