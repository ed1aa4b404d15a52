package dev.darkroom.recipe.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.awt.image.BufferedImage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/**
 * Forty captions, judged by the average look of each of the 360 emoji, where chance is 0.3 %: what
 * {@code recipe/run reference} wrote from the training pictures.
 */
class EmbeddedModelTest {
    private static InputStream resource(String name) {
        return Objects.requireNonNull(
                EmbeddedModelTest.class.getResourceAsStream(
                        "/dev/darkroom/recipe/reference/" + name));
    }

    private static List<Prompt> prompts() throws IOException {
        try (var lines =
                new BufferedReader(
                        new InputStreamReader(
                                resource(ReferenceCommand.CAPTIONS), StandardCharsets.UTF_8))) {
            return Prompts.read(lines.lines());
        }
    }

    @ParameterizedTest
    @EnumSource
    void drawsWhatCaptionsSay(EmbeddedModel model) throws IOException {
        List<Prompt> prompts = prompts();
        assertEquals(40, prompts.size());
        var evaluation =
                new Evaluation(
                        Scorer.readAverages(resource(ReferenceCommand.EMOJI)), prompts, 1, 1);
        var request = SampleRequest.builder();
        try (var pipeline = Pipeline.load(model.folder(), PipelineOptions.defaults())) {
            ObjectNode json =
                    evaluation
                            .of(
                                    (caption, seed, count) ->
                                            pictures(
                                                    pipeline,
                                                    request.prompt(caption)
                                                            .seed(seed)
                                                            .batch(count)
                                                            .build()))
                            .report()
                            .json();
            double emoji = json.path("emoji").path("all").asDouble();
            double background = json.path("background").path("all").asDouble();
            String found = "%s: emoji %.3f, background %.3f".formatted(model, emoji, background);
            assertTrue(emoji >= 0.9, found);
            assertTrue(background >= 0.95, found);
        }
    }

    private static List<BufferedImage> pictures(Pipeline pipeline, SampleRequest request) {
        return pipeline.sample(request).pictures().stream().map(Picture::toBufferedImage).toList();
    }
}
