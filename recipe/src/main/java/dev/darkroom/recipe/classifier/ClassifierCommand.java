package dev.darkroom.recipe.classifier;

import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.guidance.ClassifierGuidance;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.recipe.classifier.ClassifierTraining.Labelled;
import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.Row;
import dev.darkroom.recipe.data.Sheet;
import dev.darkroom.recipe.score.CaptionBatches;
import dev.darkroom.recipe.score.Scorer;
import dev.darkroom.recipe.score.Verdict;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;

import javax.imageio.ImageIO;

/**
 * Trains a classifier of what colour is behind the object, and guides the embedded teacher by it,
 * which is given no caption.
 */
@Command(
        name = "classifier",
        description =
                "Trains a classifier of backgrounds on noisy latents, and scores the pictures that"
                        + " the embedded teacher makes under its guidance.",
        mixinStandardHelpOptions = true)
public final class ClassifierCommand implements Callable<Integer> {
    private static final int[] TIMESTEPS = {50, 200, 400, 600, 800, 950};

    @Spec private CommandSpec spec;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "The training pictures.")
    private Path data = Path.of("");

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description = "Takes classifier.safetensors and a sheet of pictures for each weight.")
    private Path out = Path.of("");

    @Option(
            names = "--pictures",
            paramLabel = "N",
            description = "Of each background, to train on. Default: ${DEFAULT-VALUE}.")
    private int pictures = 40;

    @Option(
            names = "--held-out",
            paramLabel = "N",
            description = "Of each background, for the accuracy. Default: ${DEFAULT-VALUE}.")
    private int heldOut = 10;

    @Option(names = "--steps", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int steps = 600;

    @Option(names = "--batch", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int batch = 64;

    @Option(names = "--width", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int width = 32;

    @Option(
            names = "--count",
            paramLabel = "N",
            description = "Guided pictures for each weight. Default: ${DEFAULT-VALUE}.")
    private int count = 52;

    @Option(
            names = "--weights",
            split = ",",
            paramLabel = "W",
            description = "Of the classifier's gradient. Default: ${DEFAULT-VALUE}.")
    private List<Double> weights = List.of(0.0, 1.0, 2.0, 4.0, 8.0);

    @Option(
            names = "--sampling-steps",
            paramLabel = "N",
            description = "Of the teacher. Default: ${DEFAULT-VALUE}.")
    private int samplingSteps = 20;

    @Option(names = "--seed", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private long seed = 1;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Files.createDirectories(out);
        Threads.set(threads);
        List<Row> rows = Row.read(data.resolve(Row.METADATA));
        Collections.shuffle(rows, new Random(seed));
        List<Row> training = new ArrayList<>();
        List<Row> held = new ArrayList<>();
        for (Colour colour : Colour.values()) {
            List<Row> own = rows.stream().filter(row -> row.background() == colour).toList();
            if (own.size() < pictures + heldOut) {
                throw new IOException(
                        data
                                + " has only "
                                + own.size()
                                + " pictures on "
                                + colour.word()
                                + ", not "
                                + (pictures + heldOut));
            }
            training.addAll(own.subList(0, pictures));
            held.addAll(own.subList(pictures, pictures + heldOut));
        }
        try (var scope = TensorScope.open();
                var batches = new CaptionBatches(EmbeddedModel.TEACHER.folder(), threads)) {
            var schedule =
                    Objects.requireNonNull(batches.model().samplers().own().process().schedule());
            var course =
                    new ClassifierTraining(
                            schedule, Colour.values().length, width, steps, batch, seed);
            try (NoisyClassifier classifier = course.train(encoded(training, batches))) {
                classifier.save(out.resolve("classifier.safetensors"));
                Labelled unseen = encoded(held, batches);
                print(
                        "| timestep | accuracy on "
                                + held.size()
                                + " held-out pictures |\n|---|---|");
                for (int timestep : TIMESTEPS) {
                    double accuracy = 100 * course.accuracy(classifier, unseen, timestep);
                    print(String.format(Locale.ROOT, "| %d | %.1f %% |", timestep, accuracy));
                }
                guide(classifier, batches);
            }
        }
        return 0;
    }

    private void print(String line) {
        spec.commandLine().getOut().println(line);
        spec.commandLine().getOut().flush();
    }

    /** Latents of pictures, and the numbers of their backgrounds. */
    private Labelled encoded(List<Row> rows, CaptionBatches batches) throws IOException {
        List<Tensor> latents = new ArrayList<>();
        try (var noise = new Generator(seed)) {
            for (Row row : rows) {
                var picture = ImageIO.read(data.resolve(String.valueOf(row.file())).toFile());
                latents.add(batches.encode(picture, noise));
            }
        }
        return new Labelled(
                Ops.cat(0, latents).to(DType.FLOAT32),
                rows.stream().mapToLong(row -> row.background().ordinal()).toArray());
    }

    /** Pictures of no caption, of which the classifier asks for each background in turn. */
    private void guide(NoisyClassifier classifier, CaptionBatches batches)
            throws IOException, InterruptedException {
        Scorer scorer = Scorer.read(data, threads);
        Colour[] colours = Colour.values();
        long[] asked = LongStream.range(0, count).map(i -> i % colours.length).toArray();
        print("\n| weight | right background | distance |\n|---|---|---|");
        for (double weight : weights) {
            List<BufferedImage> made =
                    batches.sample(
                            Collections.nCopies(count, ""),
                            SampleRequest.builder()
                                    .steps(samplingSteps)
                                    .seed(seed)
                                    .guidance(
                                            new ClassifierGuidance(
                                                    Guidance.NONE,
                                                    classifier.asking(asked),
                                                    weight)));
            int right = 0;
            var apart = new double[count];
            List<Sheet.Entry> entries = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                Colour colour = colours[(int) asked[i]];
                Verdict verdict = scorer.judge(made.get(i));
                right += verdict.background() == colour ? 1 : 0;
                apart[i] = verdict.apart();
                entries.add(new Sheet.Entry(made.get(i), colour.word()));
            }
            Arrays.sort(apart);
            double share = 100.0 * right / count;
            double median = apart[count / 2];
            print(String.format(Locale.ROOT, "| %s | %.1f %% | %.3f |", weight, share, median));
            ImageIO.write(
                    Sheet.draw(entries, colours.length),
                    "png",
                    out.resolve("guided-" + weight + ".png").toFile());
        }
    }
}
