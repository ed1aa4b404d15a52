package dev.darkroom.recipe.score;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.recipe.data.Row;
import dev.darkroom.runtime.Processor;
import dev.darkroom.runtime.Warnings;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;

import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;

/** Measures every sampler on the embedded teacher, and writes the document about it. */
@Command(
        name = "samplers",
        description =
                "Measures every sampler on the embedded teacher, and writes samplers.md, its"
                        + " pictures and samplers.tsv, the measurements. What that file has already"
                        + " is not measured again.",
        mixinStandardHelpOptions = true)
public final class SamplersCommand implements Callable<Integer> {
    private static final EmbeddedModel MODEL = EmbeddedModel.TEACHER;

    /** The most bytes of the strip. */
    private static final int STRIP_BYTES = 50 << 10;

    @Spec private CommandSpec spec;

    @Mixin private final CaptionsOption captions = new CaptionsOption();

    /** The sampler whose evaluations are not known before. */
    private static final String ADAPTIVE = "rk45";

    @Option(
            names = "--docs",
            required = true,
            paramLabel = "FOLDER",
            description = "Takes samplers.md and samplers.tsv, and the pictures in pictures.")
    private Path docs = Path.of("");

    @Option(
            names = "--evaluations",
            split = ",",
            paramLabel = "N",
            description = "How often the network may be evaluated. Default: ${DEFAULT-VALUE}.")
    private List<Integer> evaluations = List.of(2, 4, 8, 16);

    @Option(
            names = "--captions",
            paramLabel = "N",
            description = "How many of the 40 short captions. Default: ${DEFAULT-VALUE}.")
    private int count = 20;

    @Option(names = "--guidance", paramLabel = "W", description = "Default: ${DEFAULT-VALUE}.")
    private double guidance = 2;

    @Option(
            names = "--shown",
            paramLabel = "CAPTION",
            description = "What the strip shows. Default: ${DEFAULT-VALUE}.")
    private String shown = "a green dragon on a yellow background";

    @Option(names = "--again", description = "Measure everything again.")
    private boolean again;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Files.createDirectories(docs.resolve("pictures"));
        List<Row> rows = Row.read(captions.data().resolve(Row.METADATA));
        List<Prompt> prompts = spread(captions.draw(Prompts.SHORT, rows));
        String settings = settings(prompts.size());
        Path table = docs.resolve("samplers.tsv");
        try (var batches = new CaptionBatches(MODEL.folder(), threads)) {
            var measurement =
                    new SamplersMeasurement(
                            batches,
                            () -> Scorer.read(captions.data(), threads),
                            prompts,
                            guidance,
                            shown,
                            again ? List.of() : SamplerPoint.read(table, settings));
            for (int most : evaluations) {
                for (String sampler : Scheduler.names()) {
                    SamplerPoint measured = measurement.measure(sampler, scheduler(sampler), most);
                    if (measured != null) {
                        spec.commandLine().getOut().println(measured);
                        spec.commandLine().getOut().flush();
                        SamplerPoint.write(table, settings, measurement.all());
                    }
                }
            }
            SamplerPoint.write(table, settings, measurement.points());
            write(measurement, settings, prompts.size());
        }
        return 0;
    }

    /** A sampler for the model; null and a reason if it is for others. */
    private SamplersMeasurement.Choice scheduler(String sampler) throws IOException {
        if (sampler.equals(ADAPTIVE)) {
            return new SamplersMeasurement.Choice(
                    null, "it evaluates the network as often as its tolerance needs");
        }
        Path config = MODEL.folder().resolve("scheduler/scheduler_config.json");
        var choice = SamplerChoice.read(config, Warnings.collected());
        try {
            return new SamplersMeasurement.Choice(choice.named(sampler), "");
        } catch (IOException | IllegalArgumentException e) {
            return new SamplersMeasurement.Choice(null, String.valueOf(e.getMessage()));
        }
    }

    private void write(SamplersMeasurement measurement, String settings, int pictures)
            throws IOException {
        List<Integer> columns = evaluations.stream().sorted().distinct().toList();
        ImageIO.write(
                SamplersChart.draw(measurement.points()),
                "png",
                docs.resolve("pictures/samplers.png").toFile());
        Files.write(
                docs.resolve("pictures/samplers-strip.jpg"),
                jpeg(SamplerStrip.draw(columns, measurement.strip())));
        Files.writeString(
                docs.resolve("samplers.md"),
                new SamplersDocument(columns, measurement.points(), measurement.refused())
                        .text(
                                Map.of(
                                        "settings",
                                        settings,
                                        "pictures",
                                        "" + pictures,
                                        "guidance",
                                        "" + guidance,
                                        "shown",
                                        shown,
                                        "processor",
                                        Processor.current().name())));
    }

    /** Some of the captions, from the first to the last, so that there are some of each kind. */
    private List<Prompt> spread(List<Prompt> prompts) {
        int chosen = Math.min(count, prompts.size());
        return IntStream.range(0, chosen)
                .mapToObj(i -> prompts.get(i * prompts.size() / chosen))
                .toList();
    }

    private String settings(int prompts) {
        return String.format(
                Locale.ROOT,
                "%s, guidance %s, %d captions (seed %d), a picture of each from seed 1 on",
                MODEL.name().toLowerCase(Locale.ROOT),
                guidance,
                prompts,
                captions.seed());
    }

    /** A JPEG as good as it can be in its bytes. */
    private static byte[] jpeg(BufferedImage picture) throws IOException {
        byte[] bytes = new byte[0];
        for (int quality = 90; quality >= 40; quality -= 5) {
            var out = new ByteArrayOutputStream();
            var writer = ImageIO.getImageWritersByFormatName("jpeg").next();
            try (var stream = ImageIO.createImageOutputStream(out)) {
                ImageWriteParam parameters = writer.getDefaultWriteParam();
                parameters.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
                parameters.setCompressionQuality(quality / 100f);
                writer.setOutput(stream);
                writer.write(null, new IIOImage(picture, null, null), parameters);
            } finally {
                writer.dispose();
            }
            bytes = out.toByteArray();
            if (bytes.length <= STRIP_BYTES) {
                break;
            }
        }
        return bytes;
    }
}
