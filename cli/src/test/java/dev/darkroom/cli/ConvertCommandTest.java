package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class ConvertCommandTest {
    private static final Path MODEL = Path.of("../tests/cases/sd15/model");

    @TempDir private Path folder;

    private static Run convert(Object... arguments) {
        var all = new Object[arguments.length + 1];
        all[0] = "convert";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return Run.darkroom(all);
    }

    @Test
    void aFolderBecomesAFileThatInspectKnowsAndAFolderAgain() throws IOException {
        Path file = folder.resolve("file.safetensors");
        var there = convert(MODEL, file, "--dtype", "float16");
        assertEquals("", there.err());
        assertEquals(0, there.exit());
        assertEquals(
                file + ": Stable Diffusion 1 (StableDiffusionPipeline), 368 tensors, 62.6 KiB\n",
                there.out());
        var inspected = Run.darkroom("inspect", file).out();
        assertTrue(
                inspected.contains(
                        "It is a checkpoint of Stable Diffusion 1, as a folder a"
                                + " StableDiffusionPipeline:\n"),
                inspected);
        assertTrue(
                inspected.matches(
                        "(?s).*\n"
                            + "  unet +UNet2DConditionModel +in_channels 4, cross_attention_dim 8,"
                            + " sample_size 8, by its metadata\n"
                            + ".*"),
                inspected);
        var json = new JsonMapper().readTree(Run.darkroom("inspect", file, "--json").out());
        var single = json.path("single_file");
        assertEquals("Stable Diffusion 1", single.path("kind").asText());
        assertEquals(8, single.path("files").path("unet/config.json").path("sample_size").asInt());
        Path back = folder.resolve("back");
        var returned = convert(file, back);
        assertEquals(0, returned.exit(), returned.err());
        assertTrue(Files.isRegularFile(back.resolve("model_index.json")));
    }

    @Test
    void whatCanNotBeDoneIsSaidInOneLine() {
        Path file = folder.resolve("file.safetensors");
        for (var run :
                new Run[] {
                    convert(MODEL, folder.resolve("folder")),
                    convert(MODEL.resolve("unet"), file),
                    convert(folder.resolve("none"), file),
                    convert(MODEL, folder.resolve("no/file.safetensors")),
                    convert(MODEL, file, "--variant", "fp16")
                }) {
            assertEquals(1, run.exit());
            assertEquals("", run.out());
            assertEquals(1, run.err().lines().count(), run.err());
            assertFalse(run.err().contains("Exception"), run.err());
        }
        assertFalse(Files.exists(file));
        assertEquals(2, convert(MODEL).exit());
        assertEquals(2, convert(MODEL, file, "--dtype", "int8").exit());
        var help = convert("--help");
        assertEquals(0, help.exit());
        assertTrue(help.out().contains("nothing is replaced"), help.out());
    }

    @Test
    void inspectSaysWhatOtherFilesAre() {
        var part =
                Run.darkroom("inspect", MODEL.resolve("vae/diffusion_pytorch_model.safetensors"));
        assertTrue(part.out().endsWith("\n\nIt is an autoencoder alone.\n"), part.out());
    }
}
