package dev.darkroom.recipe.score;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.recipe.score.Evaluation.Result;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;

import javax.imageio.ImageIO;

/** Samples the captions with a checkpoint and scores the pictures. */
@Command(
        name = "evaluate",
        description = "Samples the captions with a checkpoint and scores the pictures.",
        mixinStandardHelpOptions = true)
public final class EvaluateCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Mixin private final ModelOption model = new ModelOption();

    @Mixin private final CaptionsOption captions = new CaptionsOption();

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description =
                    "Takes SAMPLER-STEPS-GUIDANCE.json and .png for each combination of steps and"
                            + " guidance.")
    private Path out = Path.of("");

    @Option(names = "--sampler", paramLabel = "NAME", description = "Default: the checkpoint's.")
    private @Nullable String sampler;

    @Option(
            names = "--steps",
            split = ",",
            paramLabel = "N",
            description = "One or more numbers. Default: ${DEFAULT-VALUE}.")
    private List<Integer> steps = List.of(20);

    @Option(
            names = "--guidance",
            split = ",",
            paramLabel = "W",
            description = "One or more weights, 1 for none. Default: ${DEFAULT-VALUE}.")
    private List<Double> guidance = List.of(4.0);

    @Option(
            names = "--short",
            description = "40 captions instead of 260, without coloured objects.")
    private boolean isShort;

    @Option(
            names = "--each",
            paramLabel = "N",
            description = "Pictures of each caption. Default: ${DEFAULT-VALUE}.")
    private int each = 1;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Of the first picture. Default: ${DEFAULT-VALUE}.")
    private long seed = 1;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Files.createDirectories(out);
        Scorer scorer = Scorer.read(captions.data(), threads);
        List<Prompt> prompts = captions.draw(isShort ? Prompts.SHORT : Prompts.FULL, scorer.rows());
        var evaluation = new Evaluation(scorer, prompts, seed, each);
        var options = PipelineOptions.defaults().withThreads(threads);
        try (var pipeline = Pipeline.load(model.folder(), options)) {
            for (int count : steps) {
                for (double weight : guidance) {
                    evaluate(evaluation, pipeline, count, weight);
                }
            }
        }
        return 0;
    }

    private void evaluate(Evaluation evaluation, Pipeline pipeline, int count, double weight)
            throws IOException {
        Result result =
                evaluation.of(
                        (caption, first, batch) ->
                                pipeline
                                        .sample(
                                                SampleRequest.builder()
                                                        .prompt(caption)
                                                        .steps(count)
                                                        .guidanceScale(weight)
                                                        .sampler(sampler)
                                                        .seed(first)
                                                        .batch(batch)
                                                        .binning(false)
                                                        .build())
                                        .pictures()
                                        .stream()
                                        .map(Picture::toBufferedImage)
                                        .toList());
        ObjectNode json = new JsonMapper().createObjectNode();
        json.put("model", model.name());
        json.put("sampler", sampler == null ? "checkpoint's" : sampler);
        json.put("steps", count).put("guidance", weight);
        json.put("captions_seed", captions.seed()).put("seed", seed);
        json.setAll(result.report().json());
        String name = (sampler == null ? "default" : sampler) + "-" + count + "-" + weight;
        Files.writeString(out.resolve(name + ".json"), json.toPrettyString() + "\n");
        ImageIO.write(result.sheet(), "png", out.resolve(name + ".png").toFile());
        json.remove("each");
        spec.commandLine().getOut().println(json);
        spec.commandLine().getOut().flush();
    }
}
