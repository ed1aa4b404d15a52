package dev.darkroom.tests.fuzz;

import static dev.darkroom.tests.fuzz.RawSafetensors.entry;

import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Any bytes as a safetensors file: refused, or every tensor has the bytes that its header names.
 */
public final class SafetensorsTarget {
    private static Path file = Path.of("");

    private SafetensorsTarget() {}

    static List<byte[]> seeds() {
        return List.of(
                RawSafetensors.ofOneByte("w"),
                RawSafetensors.of("{}", 0),
                RawSafetensors.of(
                        "{\"__metadata__\":{\"format\":\"pt\"},"
                                + entry("four", "F4", "[4]", 0, 2)
                                + ","
                                + entry("six", "F6_E3M2", "[4]", 2, 5)
                                + ","
                                + entry("w", "F32", "[2,1]", 5, 13)
                                + ","
                                + entry("b", "BOOL", "[3]", 13, 16)
                                + "}  ",
                        16),
                RawSafetensors.of(
                        "{"
                                + entry("a", "BF16", "[0,3]", 0, 0)
                                + ","
                                + entry("b", "I64", "[]", 0, 8)
                                + "}",
                        8),
                RawSafetensors.of(Long.MIN_VALUE, "{}", 0),
                RawSafetensors.of(1L << 33, "{}", 0),
                RawSafetensors.of("{" + entry("w", "F32", "[4611686018427387904]", 0, 4) + "}", 4),
                Answers.bytes("version https://git-lfs.github.com/spec/v1\n"),
                Answers.bytes("PK\u0003\u0004 a zip of a pickle"));
    }

    static List<String> dictionary() {
        return List.of(
                "__metadata__",
                "\"dtype\":\"F32\"",
                "\"dtype\":\"BOOL\"",
                "\"dtype\":\"F8_E8M0\"",
                "\"dtype\":\"C64\"",
                "\"shape\":[1]",
                "\"shape\":[]",
                "\"data_offsets\":[0,4]",
                "9223372036854775807",
                "-1",
                "1e3",
                "\\ud800",
                "\\u0000",
                "[[",
                "}}",
                "{\"",
                "\":");
    }

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        file = Answers.folder().resolve("fuzz.safetensors");
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) throws IOException {
        Files.write(file, input);
        LoadMode mode = input.length % 2 == 0 ? LoadMode.MAPPED : LoadMode.READ;
        try (var scope = TensorScope.open();
                var checkpoint = Safetensors.open(file, mode)) {
            for (String name : checkpoint.names()) {
                read(checkpoint, name, input);
            }
        } catch (SafetensorsException e) {
            Answers.requireTyped(e, file);
        }
        Answers.requireNothingLive();
    }

    private static void read(Safetensors checkpoint, String name, byte[] input) throws IOException {
        var stored = checkpoint.info(name);
        try {
            var tensor = checkpoint.tensor(name);
            var values = tensor.buffer(0, (int) stored.bytes());
            for (int i = 0; i < stored.bytes(); i++) {
                byte expected = input[(int) stored.begin() + i];
                Answers.require(values.get(i) == expected, "another byte of " + name, null);
            }
        } catch (SafetensorsException e) {
            Answers.requireTyped(e, file);
        }
    }
}
