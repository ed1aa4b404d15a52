package dev.darkroom.models.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Warnings;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

class ConfigReaderTest {
    @TempDir Path folder;

    private <T> T read(String json, Function<ConfigReader, T> build) throws IOException {
        return ConfigReader.read(Files.writeString(folder.resolve("config.json"), json), build);
    }

    private String failure(String json, Function<ConfigReader, ?> build) {
        var error = assertThrows(ConfigException.class, () -> read(json, build));
        String start = folder.resolve("config.json") + ": ";
        assertTrue(error.getMessage().startsWith(start), error.getMessage());
        return error.getMessage().substring(start.length());
    }

    @Test
    void optionsHaveTheirKinds() throws IOException {
        String json =
                """
                {"_class_name": "X", "text": "a", "integer": 3, "number": 2, "flag": false,
                 "texts": ["a", "b"], "integers": [1, 2], "numbers": [0.5, -Infinity]}\
                """;
        read(
                json,
                options -> {
                    assertEquals("a", options.text("text", "b"));
                    assertEquals(3, options.integer("integer", 4));
                    assertEquals(2.0, options.number("number", 4));
                    assertEquals(false, options.flag("flag", true));
                    assertEquals(List.of("a", "b"), options.texts("texts", List.of()));
                    assertEquals(List.of(1, 2), options.integers("integers", List.of()));
                    assertEquals(
                            List.of(0.5, Double.NEGATIVE_INFINITY),
                            options.numbersOrNull("numbers"));
                    return true;
                });
    }

    @Test
    void aMissingOptionHasItsDefault() throws IOException {
        read(
                "{\"shift\": null}",
                options -> {
                    assertEquals("b", options.text("text", "b"));
                    assertEquals(4, options.integer("integer", 4));
                    assertEquals(0.5, options.number("number", 0.5));
                    assertEquals(true, options.flag("flag", true));
                    assertEquals(List.of("c"), options.texts("texts", List.of("c")));
                    assertEquals(List.of(1), options.integers("integers", List.of(1)));
                    assertNull(options.numberOrNull("shift"));
                    assertNull(options.integerOrNull("shift"));
                    assertNull(options.textOrNull("absent"));
                    assertNull(options.flagOrNull("absent"));
                    assertNull(options.numbersOrNull("absent"));
                    assertTrue(options.has("shift"));
                    return true;
                });
    }

    @Test
    void nonNumericNumbersAreNumbers() throws IOException {
        assertEquals(
                List.of(Double.NaN, Double.POSITIVE_INFINITY),
                read(
                        "{\"a\": NaN, \"b\": Infinity}",
                        options -> List.of(options.number("a", 0), options.number("b", 0))));
    }

    @Test
    void anOptionThatNobodyAskedForIsAnError() throws IOException {
        assertEquals(
                "option not supported: norm_type (\"spatial\"), depth (2)",
                failure(
                        "{\"norm_type\": \"spatial\", \"known\": 1, \"depth\": 2}",
                        options -> options.integer("known", 0)));
        int known =
                read(
                        "{\"known\": 1, \"depth\": 2}",
                        options -> {
                            options.ignore("depth");
                            return options.integer("known", 0);
                        });
        assertEquals(1, known);
    }

    @Test
    void anUnknownOptionOfACheckpointIsAWarning() throws IOException {
        Path file =
                Files.writeString(
                        folder.resolve("config.json"),
                        """
                        {"_note": 1, "known": 2, "norm_type": "spatial", "nothing": null,
                         "long": "%s", "part": {"inner": 3, "stray": []}}
                        """
                                .formatted("x".repeat(10_000)));
        var warnings = Warnings.collected();
        Function<ConfigReader, Integer> build =
                options ->
                        options.integer("known", 0)
                                + options.section("part", part -> part.integer("inner", 0));
        assertEquals(5, ConfigReader.read(file, warnings, build));
        assertEquals(2, warnings.list().size());
        assertEquals(
                file + ": part: an option that is not known and without effect: stray ([])",
                warnings.list().get(0));
        String second = warnings.list().get(1);
        assertTrue(
                second.startsWith(
                        file
                                + ": options that are not known and without effect: norm_type"
                                + " (\"spatial\"), long (\"xxx"),
                second);
        assertTrue(second.length() < 500, second);
        var error =
                assertThrows(
                        ConfigException.class,
                        () -> ConfigReader.read(file, Warnings.strict(), build));
        assertTrue(error.getMessage().contains("part: option not supported: stray"));
    }

    @Test
    void nullAsksForNothing() throws IOException {
        read(
                """
                {"text": null, "integer": null, "number": null, "flag": null, "texts": null,
                 "integers": null, "numbers": null, "part": null, "names": null, "only": null}
                """,
                options -> {
                    assertEquals("b", options.text("text", "b"));
                    assertEquals(4, options.integer("integer", 4));
                    assertEquals(0.5, options.number("number", 0.5));
                    assertEquals(List.of("c"), options.texts("texts", List.of("c")));
                    assertEquals(List.of(1), options.integers("integers", List.of(1)));
                    assertNull(options.numbersOrNull("numbers"));
                    int inner = options.section("part", part -> part.integer("n", 7));
                    assertEquals(7, inner);
                    assertEquals(Map.of(), options.textsByName("names"));
                    options.only("only", "this");
                    assertFalse(options.flag("flag", true), "as Python's None");
                    assertTrue(options.isNull("text"));
                    assertFalse(options.isNull("absent"));
                    return true;
                });
    }

    @Test
    void partsArePairs() throws IOException {
        String json =
                """
                {"a": ["lib", "X"], "gone": [null, null], "b": ["lib", "Y"], "numbers": [1, 2],
                 "three": ["a", "b", "c"], "text": "t"}
                """;
        Path file = Files.writeString(folder.resolve("config.json"), json);
        var warnings = Warnings.collected();
        var pairs = ConfigReader.read(file, warnings, ConfigReader::pairs);
        assertEquals(Map.of("a", List.of("lib", "X"), "b", List.of("lib", "Y")), pairs);
        assertTrue(
                warnings.list()
                        .getFirst()
                        .endsWith("numbers ([1,2]), three ([\"a\",\"b\",\"c\"]), text (\"t\")"),
                warnings.list().getFirst());
    }

    @Test
    void anUnfinishedDownloadSaysSo() throws IOException {
        Path file = folder.resolve("config.json");
        Files.createSymbolicLink(file, Path.of("../../blobs/0123"));
        var error =
                assertThrows(ConfigException.class, () -> ConfigReader.read(file, options -> 1));
        assertTrue(
                error.getMessage().contains("download unfinished: " + file + " is a link to"),
                error.getMessage());
    }

    @Test
    void someOptionsHaveOneSupportedValue() throws IOException {
        Function<ConfigReader, Boolean> build =
                options -> {
                    options.only("norm", "group", null);
                    options.only("dropout", 0.0);
                    options.only("flag", false);
                    return true;
                };
        assertTrue(read("{\"norm\": null, \"dropout\": 0, \"flag\": false}", build));
        assertTrue(read("{\"norm\": \"group\"}", build));
        assertEquals(
                "norm \"spatial\" is not supported, only \"group\" or null",
                failure("{\"norm\": \"spatial\"}", build));
        assertEquals(
                "dropout 0.1 is not supported, only 0.0", failure("{\"dropout\": 0.1}", build));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"n\": \"3\"} | n must be an integer, not \"3\"",
                "{\"n\": 3.5} | n must be an integer, not 3.5",
                "{\"n\": 3000000000} | n must be an integer, not 3000000000",
                "{\"n\": [1]} | n must be an integer, not [1]",
                "[1] | a config is a JSON object",
                "7 | a config is a JSON object",
                "'' | a config is a JSON object"
            })
    void wrongKindsAreNamed(String json, String message) {
        assertEquals(message, failure(json, options -> options.integer("n", 0)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"{\"n\": 1", "{\"n\": 1, \"n\": 2}", "{\"n\": 1} {}", "{n: 1}"})
    void whatIsNotJsonSaysSo(String json) {
        String message = failure(json, options -> options.integer("n", 0));
        assertTrue(message.startsWith("not valid JSON"), message);
        assertFalse(message.contains("Source"), message);
    }

    /** Jackson's exception for them is no JsonProcessingException, and names no file. */
    @Test
    void bytesThatAreNoTextAreAConfigError() throws IOException {
        Path file = folder.resolve("config.json");
        Files.write(file, new byte[] {1, 0, 0, 0, 0, 0, 0, 11, ' ', '{', '}'});
        var error = assertThrows(ConfigException.class, () -> ConfigReader.read(file, o -> 1));
        assertEquals(file + ": it is not text in UTF-8", error.getMessage());
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    @Timeout(30)
    void aPipeIsNotWaitedFor() throws Exception {
        Path pipe = folder.resolve("config.json");
        new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor();
        var error = assertThrows(ConfigException.class, () -> ConfigReader.read(pipe, o -> 1));
        assertEquals(pipe + ": it is not a regular file", error.getMessage());
    }

    /** A regular file without a size, whose reader waits for the kernel's next message. */
    @Test
    @EnabledOnOs(OS.LINUX)
    @Timeout(30)
    void aFileWithoutAnEndIsNotReadToIt() {
        assertThrows(ConfigException.class, () -> ConfigReader.read(Path.of("/proc/kmsg"), o -> 1));
    }

    @Test
    void theRecordsOwnErrorNamesTheFile() {
        assertEquals(
                "n can't be 0",
                failure(
                        "{}",
                        options -> {
                            throw new IllegalArgumentException("n can't be 0");
                        }));
    }

    @Test
    void aMissingFileIsNoConfigError() {
        assertThrows(
                NoSuchFileException.class,
                () -> ConfigReader.read(folder.resolve("absent.json"), options -> 1));
    }
}
