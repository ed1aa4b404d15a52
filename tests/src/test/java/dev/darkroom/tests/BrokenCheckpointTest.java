package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/** What is wrong with a checkpoint is said in a sentence, and nothing is left of the attempt. */
class BrokenCheckpointTest {
    @TempDir private Path folder;

    @BeforeEach
    void copy() throws IOException {
        Path model = Cases.named("pixart_alpha").resolve("model");
        try (Stream<Path> files = Files.walk(model)) {
            for (Path file : files.toList()) {
                Path copy = folder.resolve(model.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(copy);
                } else {
                    Files.copy(file, copy);
                }
            }
        }
    }

    private void assertRefused(String... expected) {
        assertRefused(PipelineOptions.defaults(), expected);
    }

    private void assertRefused(PipelineOptions options, String... expected) {
        long before = Memory.liveTensors();
        var error = assertThrows(PipelineException.class, () -> Pipeline.load(folder, options));
        for (String part : expected) {
            assertTrue(error.getMessage().contains(part), error.getMessage());
        }
        assertEquals(before, Memory.liveTensors());
    }

    private void replace(String file, String before, String after) throws IOException {
        Path path = folder.resolve(file);
        String text = Files.readString(path);
        assertTrue(text.contains(before), text);
        Files.writeString(path, text.replace(before, after));
    }

    @Test
    void missingFolder() {
        folder = folder.resolve("nowhere");
        assertRefused("no model folder", "nowhere");
    }

    @Test
    void missingIndex() throws IOException {
        Files.delete(folder.resolve("model_index.json"));
        assertRefused("holds no model_index.json");
    }

    @Test
    void unknownPipeline() throws IOException {
        replace("model_index.json", "PixArtAlphaPipeline", "MysteryPipeline");
        assertRefused(
                "MysteryPipeline",
                "DiTPipeline, LatentConsistencyModelImg2ImgPipeline,"
                        + " LatentConsistencyModelPipeline, PixArtAlphaPipeline");
    }

    @Test
    void unknownPart() throws IOException {
        replace("model_index.json", "AutoencoderKL", "VQModel");
        assertRefused("vae is of class VQModel; supported is AutoencoderKL");
    }

    /** With a variant, the folders of all parts are looked through for it. */
    @Test
    void partOutsideTheFolder() throws IOException {
        replace("model_index.json", "{", "{\"../elsewhere\": [\"x\", \"y\"],");
        assertRefused("model_index.json: \"../elsewhere\" can't be the name of a part");
    }

    @Test
    void longNamesAreNotSaidInFull() throws IOException {
        replace("model_index.json", "PixArtAlphaPipeline", "P".repeat(100_000));
        var error =
                assertThrows(
                        PipelineException.class,
                        () -> Pipeline.load(folder, PipelineOptions.defaults()));
        assertTrue(error.getMessage().length() < 1500, error.getMessage());
    }

    @Test
    void missingPart() throws IOException {
        Files.delete(folder.resolve("vae/config.json"));
        assertRefused("config.json is missing");
    }

    @Test
    void brokenIndex() throws IOException {
        replace("model_index.json", "{", "[");
        assertRefused("model_index.json", "not valid JSON");
    }

    @Test
    void cutWeights() throws IOException {
        Path weights = folder.resolve("transformer/diffusion_pytorch_model.safetensors");
        try (var channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(weights) - 100);
        }
        assertRefused("diffusion_pytorch_model.safetensors");
    }

    @Test
    void weightsThatDoNotFitTheConfig() throws IOException {
        replace("transformer/config.json", "\"num_layers\": ", "\"num_layers\": 1");
        assertRefused("transformer", "missing");
    }

    @Test
    void unknownOption() throws IOException {
        replace("transformer/config.json", "{", "{\"rotary_sauce\": 3,");
        assertRefused(PipelineOptions.defaults().withStrict(true), "transformer", "rotary_sauce");
    }

    @Test
    void unknownScheduler() throws IOException {
        replace("scheduler/scheduler_config.json", "DPMSolverMultistepScheduler", "Mystery");
        assertRefused("scheduler Mystery is not supported");
    }

    /** Before the weights are loaded, which takes long. */
    @Test
    void defaultsAreReadFirst() throws IOException {
        Files.delete(folder.resolve("transformer/diffusion_pytorch_model.safetensors"));
        Files.writeString(folder.resolve("darkroom.json"), "{\"steps\": 0}");
        assertRefused("darkroom.json", "steps must be 1 to 1000, not 0");
    }

    @Test
    void pickles() throws IOException {
        Path weights = folder.resolve("vae/diffusion_pytorch_model.safetensors");
        Files.move(weights, weights.resolveSibling("diffusion_pytorch_model.bin"));
        assertRefused("diffusion_pytorch_model.bin", "pickle");
    }

    @Test
    void missingDevice() {
        var error =
                assertThrows(
                        PipelineException.class,
                        () ->
                                Pipeline.load(
                                        folder,
                                        PipelineOptions.defaults().withDevice(Device.cuda(100))));
        assertTrue(error.getMessage().startsWith("there is no device cuda:100 here"));
    }

    @Test
    void moreMemoryThanThereIs() {
        System.setProperty("darkroom.memory.limit", "1m");
        try {
            assertRefused("1.00 MiB are available");
        } finally {
            System.clearProperty("darkroom.memory.limit");
        }
    }
}
