package dev.darkroom.recipe.score;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.recipe.data.Sheet;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

import javax.imageio.ImageIO;

/** A sheet of a model's pictures. */
@Command(
        name = "draw",
        description = "Draws captions on one sheet, a picture of each.",
        mixinStandardHelpOptions = true)
public final class DrawCommand implements Callable<Integer> {
    @Mixin private final ModelOption model = new ModelOption();

    @Option(names = "--out", required = true, paramLabel = "FILE.png", description = "The sheet.")
    private Path out = Path.of("");

    @Option(names = "--steps", paramLabel = "N", description = "Default: the checkpoint's.")
    private @Nullable Integer steps;

    @Option(names = "--guidance", paramLabel = "W", description = "Default: the checkpoint's.")
    private @Nullable Double guidance;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Of the first picture; the others follow. Default: ${DEFAULT-VALUE}.")
    private long seed = 1;

    @Option(names = "--columns", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int columns = 8;

    @Parameters(arity = "1..*", paramLabel = "CAPTION", description = "What to draw.")
    private List<String> captions = List.of();

    @Override
    public Integer call() throws IOException {
        List<Sheet.Entry> entries = new ArrayList<>();
        try (var pipeline = Pipeline.load(model.folder(), PipelineOptions.defaults())) {
            for (String caption : captions) {
                var request =
                        SampleRequest.builder()
                                .prompt(caption)
                                .steps(steps)
                                .guidanceScale(guidance)
                                .seed(seed + entries.size())
                                .binning(false)
                                .build();
                var picture = pipeline.sample(request).pictures().getFirst();
                entries.add(new Sheet.Entry(picture.toBufferedImage(), caption));
            }
        }
        ImageIO.write(Sheet.draw(entries, columns), "png", out.toFile());
        return 0;
    }
}
