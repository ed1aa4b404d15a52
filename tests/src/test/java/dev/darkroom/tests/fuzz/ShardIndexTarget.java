package dev.darkroom.tests.fuzz;

import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Any bytes as the index of two shards: no file is opened that is not beside it, though there are
 * some around it that would do.
 */
public final class ShardIndexTarget {
    /** Wrong sizes by the thousand: their warnings would drown the output. */
    private static final Logger LOG = Logger.getLogger("dev.darkroom.safetensors");

    private static Path folder = Path.of("");

    private ShardIndexTarget() {}

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        LOG.setLevel(Level.SEVERE);
        Path outside = Answers.folder();
        folder = Files.createDirectories(outside.resolve("model/below")).getParent();
        for (Path each : List.of(outside, folder.resolve("below"), folder)) {
            Files.write(each.resolve("a.safetensors"), RawSafetensors.ofOneByte("a"));
            Files.write(each.resolve("b.safetensors"), RawSafetensors.ofOneByte("b"));
        }
    }

    private static byte[] index(String a, String b) {
        return Answers.bytes(
                "{\"metadata\":{\"total_size\":2},\"weight_map\":{\"a\":\""
                        + a
                        + "\",\"b\":\""
                        + b
                        + "\"}}");
    }

    static List<byte[]> seeds() {
        return List.of(
                index("a.safetensors", "b.safetensors"),
                index("../a.safetensors", "b.safetensors"),
                index("below/a.safetensors", "below/b.safetensors"),
                index("a.safetensors", "/b.safetensors"),
                index("model.safetensors.index.json", "."),
                index("a.bin", "C:b.safetensors"),
                Answers.bytes("{\"metadata\":{\"total_size\":2.0},\"weight_map\":{}}"));
    }

    static List<String> dictionary() {
        return List.of(
                "../",
                "..",
                "./",
                "\\u002e",
                "\\u002f",
                "\\\\",
                "below",
                "a.safetensors",
                "b.safetensors",
                "weight_map",
                "metadata",
                "\"total_size\":9223372036854775807",
                "\\ud800",
                "\\u0000",
                "[[",
                "}}",
                "{\"",
                "\":");
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) throws IOException {
        Path index = Files.write(folder.resolve("model.safetensors.index.json"), input);
        try (var checkpoint = Safetensors.open(index, LoadMode.MAPPED)) {
            for (var header : checkpoint.headers()) {
                Path file = header.file();
                Answers.require(
                        folder.equals(file.toRealPath().getParent()), file + " is outside", null);
            }
        } catch (SafetensorsException e) {
            Answers.requireTyped(e, folder);
        }
        Answers.requireNothingLive();
    }
}
