package dev.darkroom.tests.fuzz;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.PngTarget;
import dev.darkroom.testing.Child;
import dev.darkroom.testing.PackedFiles;
import dev.darkroom.tests.Cases;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * Whatever the files and texts of strangers hold: there is a result, or an exception of Darkroom's
 * own that names the file in a line, in time and within a small heap. Jazzer makes them, led by
 * what of Darkroom's code they reach, in a JVM for each {@link Target}.
 *
 * <p>{@code -Ddarkroom.fuzz.seconds=10} is the time for each, {@code -Ddarkroom.fuzz.runs=1000000}
 * asks for a number of inputs instead. {@code -Ddarkroom.fuzz.corpus=FOLDER} keeps what was found
 * worth keeping, and goes on from there.
 */
@EnabledOnOs({OS.LINUX, OS.MAC})
class FuzzTest {
    private static final long SECONDS = Long.getLong("darkroom.fuzz.seconds", 10);
    private static final long RUNS = Long.getLong("darkroom.fuzz.runs", 0);
    private static final String CORPUS = System.getProperty("darkroom.fuzz.corpus", "");

    /** After which an input counts as one that hangs, on a machine that may be busy. */
    private static final int SECONDS_FOR_AN_INPUT = 120;

    private static final int LONGEST_INPUT = 8192;

    @TempDir private Path temporary;

    /** What is given to a fuzz target, and what it is made of. */
    enum Target {
        SAFETENSORS(
                SafetensorsTarget.class, SafetensorsTarget::seeds, SafetensorsTarget::dictionary),
        SHARD_INDEX(ShardIndexTarget.class, ShardIndexTarget::seeds, ShardIndexTarget::dictionary),
        CONFIGS(ConfigsTarget.class, ConfigsTarget::seeds, ConfigsTarget::dictionary),
        TOKENIZERS(TokenizersTarget.class, TokenizersTarget::seeds, TokenizersTarget::dictionary),
        PROMPTS(PromptsTarget.class, PromptsTarget::seeds, PromptsTarget::dictionary),
        PNG_TEXTS(PngTarget.class, PngTarget::seeds, PngTarget::dictionary);

        private final Class<?> type;
        private final Supplier<List<byte[]>> seeds;
        private final Supplier<List<String>> dictionary;

        Target(Class<?> type, Supplier<List<byte[]>> seeds, Supplier<List<String>> dictionary) {
            this.type = type;
            this.seeds = seeds;
            this.dictionary = dictionary;
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void nothingButAnswersAndTypedErrors(Target target) throws Exception {
        String said =
                Child.start(
                                jazzer(target).directory(temporary.toFile()),
                                temporary.resolve("output.txt"))
                        .requireSuccess(RUNS > 0 ? 36_000 : SECONDS + 300);
        List<String> lines = said.lines().toList();
        lines.stream()
                .filter(line -> line.contains(" DONE ") || line.startsWith("Done "))
                .forEach(line -> System.out.println(target + ": " + line));
        assertTrue(
                lines.stream().anyMatch(line -> line.startsWith("Done ")),
                () -> target + " did not run: " + said);
    }

    private ProcessBuilder jazzer(Target target) throws IOException {
        return Child.jvm(
                List.of(
                        "-XX:+EnableDynamicAgentLoading",
                        "-XX:+UseSerialGC",
                        "-Xmx512m",
                        "-Djava.io.tmpdir=" + Files.createDirectory(temporary.resolve("files")),
                        "-D" + PromptsTarget.FOLDER + "=" + tokenizers()),
                "com.code_intelligence.jazzer.Jazzer",
                List.of(
                        "--target_class=" + target.type.getName(),
                        "--instrumentation_includes=dev.darkroom.**",
                        "--custom_hook_includes=dev.darkroom.**",
                        // A tokenizer's file holds regular expressions, which is what it is for
                        "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.RegexInjection",
                        "-timeout=" + SECONDS_FOR_AN_INPUT,
                        "-max_len=" + LONGEST_INPUT,
                        "-dict=" + dictionary(target),
                        "-print_final_stats=1",
                        RUNS > 0 ? "-runs=" + RUNS : "-max_total_time=" + SECONDS,
                        corpus(target).toString()));
    }

    /** The reference cases' tokenizers, unpacked. */
    private Path tokenizers() throws IOException {
        Path folder = temporary.resolve("tokenizers");
        PackedFiles.unpack(Cases.named("tokenizers"), folder);
        return folder;
    }

    private Path corpus(Target target) throws IOException {
        Path corpus =
                Files.createDirectories(
                        CORPUS.isEmpty()
                                ? temporary.resolve("corpus")
                                : Path.of(CORPUS, target.name().toLowerCase(Locale.ROOT)));
        int number = 0;
        for (byte[] seed : target.seeds.get()) {
            Files.write(corpus.resolve("seed-" + number++), seed);
        }
        return corpus.toRealPath();
    }

    /** In libFuzzer's form: texts in quotes. */
    private Path dictionary(Target target) throws IOException {
        var lines = new ArrayList<String>();
        for (String entry : target.dictionary.get()) {
            var line = new StringBuilder("\"");
            for (byte each : entry.getBytes(StandardCharsets.UTF_8)) {
                line.append(String.format(Locale.ROOT, "\\x%02x", each & 0xff));
            }
            lines.add(line.append('"').toString());
        }
        return Files.write(temporary.resolve("entries.dict"), lines);
    }
}
