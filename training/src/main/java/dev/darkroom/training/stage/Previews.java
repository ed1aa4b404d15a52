package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The pictures by which a run is watched.
 *
 * @param prompts captions or classes, a picture of each
 * @param steps null for the checkpoint's choice
 * @param guidance null for the checkpoint's choice
 * @param seed of each
 */
record Previews(
        List<String> prompts, @Nullable Integer steps, @Nullable Double guidance, int seed) {
    static Previews of(ConfigReader json) {
        return new Previews(
                json.texts("prompts", List.of()),
                json.integerOrNull("steps"),
                json.numberOrNull("guidance"),
                json.integer("seed", 0));
    }

    /**
     * Samples a checkpoint.
     *
     * @param areClasses whether the prompts are classes
     */
    void write(Path checkpoint, PipelineOptions options, boolean areClasses, Path png)
            throws IOException {
        if (prompts.isEmpty()) {
            return;
        }
        List<Picture> pictures = new ArrayList<>();
        try (var pipeline = Pipeline.load(checkpoint, options)) {
            for (String prompt : prompts) {
                var request =
                        SampleRequest.builder()
                                .prompt(areClasses ? null : prompt)
                                .classes(areClasses ? List.of(prompt) : List.of())
                                .steps(steps)
                                .guidanceScale(guidance)
                                .seed(seed)
                                .build();
                pictures.addAll(pipeline.sample(request).pictures());
            }
        }
        Sheets.write(pictures, (int) Math.ceil(Math.sqrt(pictures.size())), png);
    }
}
