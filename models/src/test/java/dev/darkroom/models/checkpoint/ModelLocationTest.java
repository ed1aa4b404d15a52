package dev.darkroom.models.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.ModelId;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What people write for a model, and what they hear where it is none. */
class ModelLocationTest {
    @TempDir private Path folder;

    private String file(String name) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "x").toString();
    }

    @Test
    void foldersFilesAndNamesAreToldApart() throws IOException {
        assertEquals(new ModelLocation.Folder(folder), ModelLocation.of(folder.toString()));
        assertEquals(new ModelLocation.Folder(Path.of(".")), ModelLocation.of("."));
        Path weights = Path.of(file("a.SafeTensors"));
        assertEquals(new ModelLocation.WeightsFile(weights), ModelLocation.of(weights.toString()));
        Path linked = Files.createSymbolicLink(folder.resolve("link"), folder);
        assertEquals(new ModelLocation.Folder(linked), ModelLocation.of(linked.toString()));
        for (String name :
                new String[] {
                    "PixArt-alpha/PixArt-XL-2-1024-MS",
                    "org/name@refs/pr/1",
                    "org/name:fp16",
                    "org/name@v1.0:fp16",
                    "city96/FLUX.1-dev-gguf",
                    "org/name.v2"
                }) {
            assertEquals(new ModelLocation.OnHub(ModelId.parse(name)), ModelLocation.of(name));
        }
        // A folder of that name comes first.
        Path here = Path.of("target", "org-" + folder.getFileName()); // beside the POM
        assertTrue(ModelLocation.of(here.toString()) instanceof ModelLocation.OnHub);
        Files.createDirectories(here);
        try {
            assertEquals(new ModelLocation.Folder(here), ModelLocation.of(here.toString()));
        } finally {
            Files.delete(here);
        }
    }

    /** What is nearly a model, and what the message has to say. */
    private Map<String, String> nearMisses() throws IOException {
        Map<String, String> misses = new LinkedHashMap<>();
        misses.put("", "is empty; name a folder");
        misses.put(" ", "is empty; name a folder");
        misses.put(
                "./x/y",
                "there is no model folder ./x/y (there is " + Path.of("").toAbsolutePath());
        misses.put("../x/y", "there is no model folder ../x/y");
        misses.put("x/y/", "there is no model folder x/y/");
        misses.put("x/y/z", "there is no model folder x/y/z");
        misses.put("~/models/a", "there is no model folder ~/models/a");
        misses.put(
                folder + "/no", "there is no model folder " + folder + "/no (there is " + folder);
        misses.put("model", "there is no folder model here, and \"model\" names no model: no / is");
        misses.put("-x/y", "ORG and NAME are letters");
        misses.put("a--b/c", "ORG and NAME are letters");
        misses.put("org/name@", "REVISION is no branch");
        misses.put("org/name@a..b", "REVISION is no branch");
        misses.put("org/name:", "VARIANT is no part of a file's name");
        misses.put("org/name:fp16:x", "VARIANT is no part of a file's name");
        misses.put("org/name\u0000", "ORG and NAME are letters");
        misses.put(folder + ":fp16", "is an option (--variant fp16)");
        misses.put("https://huggingface.co/org/name", "name the model as its hub does, org/name,");
        misses.put(
                "https://huggingface.co/org/name/tree/main", "name the model as its hub does, org");
        misses.put("hf://org/name", "name the model as its hub does, org/name,");
        misses.put("weights/a.safetensors", "there is no file weights/a.safetensors; check");
        misses.put("org/v1-5.ckpt", "there is no file org/v1-5.ckpt");
        for (String pickle : new String[] {"a.ckpt", "a.bin", "a.pt", "A.PTH"}) {
            misses.put(file(pickle), "is a pickle by its name, which can run code");
        }
        misses.put(file("a.gguf"), "files of GGUF are not read; name a folder that holds");
        misses.put(file("a.zip"), "its name does not end in .safetensors");
        misses.put(file("m/model_index.json"), "name its folder, " + folder.resolve("m"));
        Path dangling = Files.createSymbolicLink(folder.resolve("gone"), Path.of("nowhere"));
        misses.put(dangling.toString(), "download unfinished: " + dangling + " is a link");
        return misses;
    }

    @Test
    void nearMissesSayWhatToDo() throws IOException {
        for (var miss : nearMisses().entrySet()) {
            var error =
                    assertThrows(
                            CheckpointException.class,
                            () -> ModelLocation.of(miss.getKey()),
                            miss.getKey());
            assertTrue(
                    error.getMessage().contains(miss.getValue()),
                    () -> miss.getKey() + ": " + error.getMessage());
            assertEquals(1, error.getMessage().lines().count());
        }
    }
}
