package dev.darkroom.recipe.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.recipe.data.FixturePictures;
import dev.darkroom.runtime.Warnings;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import picocli.CommandLine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import javax.imageio.ImageIO;

/** {@code recipe samplers}, with one picture of each. */
class SamplersCommandTest {
    @TempDir private Path folder;

    private void run() {
        var command =
                new CommandLine(new SamplersCommand())
                        .setExecutionExceptionHandler(
                                (failure, line, parsed) -> {
                                    throw new AssertionError(failure);
                                });
        int exit =
                command.execute(
                        "--data", folder.resolve("data").toString(),
                        "--docs", folder.resolve("docs").toString(),
                        "--evaluations", "2",
                        "--captions", "1",
                        "--threads", "1");
        assertEquals(0, exit);
    }

    private Path docs(String name) {
        return folder.resolve("docs").resolve(name);
    }

    /** Every sampler is measured or refused; what was measured is not measured again. */
    @Test
    void writesTheDocument() throws IOException {
        Files.createDirectory(folder.resolve("data"));
        FixturePictures.write(folder.resolve("data"), 7, 4, 0);
        run();
        String text = Files.readString(docs("samplers.md"));
        List<String> lines = new ArrayList<>(Files.readAllLines(docs("samplers.tsv")));
        List<String> unmeasured = new ArrayList<>();
        for (String sampler : Scheduler.names()) {
            assertTrue(
                    text.contains("| `" + sampler + "` | " + Scheduler.description(sampler) + " |"),
                    text);
            if (lines.stream().noneMatch(line -> line.startsWith(sampler + "\t"))) {
                unmeasured.add(sampler);
            }
        }
        String reasons = text.substring(text.indexOf("Not measured:"));
        for (String sampler : unmeasured) {
            assertTrue(reasons.contains("| `" + sampler), sampler + " is neither measured nor not");
        }
        assertTrue(text.contains("| `flow-euler` | sampler flow-euler does not fit"), text);
        assertFalse(text.contains("{"), text);
        assertFalse(text.contains(folder.toString()), text);
        assertFalse(text.contains(EmbeddedModel.TEACHER.folder().toString()), text);
        assertEquals(1250, ImageIO.read(docs("pictures/samplers.png").toFile()).getWidth());
        long strip = Files.size(docs("pictures/samplers-strip.jpg"));
        assertTrue(strip < 50 << 10, "" + strip);

        assertTrue(lines.get(2).startsWith("ddpm\t2\t2\t1\t"), lines.get(2));
        lines.set(2, "ddpm\t2\t2\t1\t0.123\t0.456\t0.789");
        Files.write(docs("samplers.tsv"), lines);
        run();
        assertEquals(lines, Files.readAllLines(docs("samplers.tsv")));
        assertTrue(
                Files.readString(docs("samplers.md")).contains("12.3 %, 0.456, 0.79"), "not kept");
    }

    /** Heun evaluates twice a step but for the last; DPM-Solver++ once. */
    @Test
    void takesAsManyStepsAsTheEvaluationsAllow() throws IOException {
        Path config = EmbeddedModel.TEACHER.folder().resolve("scheduler/scheduler_config.json");
        var choice = SamplerChoice.read(config, Warnings.collected());
        assertEquals(4, SamplersMeasurement.steps(choice.named("dpm++2m"), 4));
        assertEquals(2, SamplersMeasurement.steps(choice.named("heun"), 4));
        assertEquals(3, SamplersMeasurement.steps(choice.named("heun"), 5));
        assertEquals(3, SamplersMeasurement.steps(choice.named("plms"), 4));
        assertEquals(0, SamplersMeasurement.steps(choice.named("heun"), 0));
    }
}
