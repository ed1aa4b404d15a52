package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.Main;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import javax.imageio.ImageIO;

/**
 * The commands under locales with other digits and other letters: in a JVM of its own, and not
 * through {@code Main.main}, which would hide what formats by the locale.
 */
class LocaleTest {
    private static final String CONFIG =
            """
            {"steps": 3, "batch": 2, "size": 8, "showEvery": 2, "saveEvery": 1,
             "optimizer": {"warmUp": 1},
             "vae": {"block_out_channels": [4, 4], "layers_per_block": 1, "norm_num_groups": 2,
               "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
               "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
               "mid_block_add_attention": false}}
            """;

    /** Files with times, or the memory that is free, in them. */
    private static final List<String> TIMED =
            List.of("log.jsonl", "sample.out", "train.err", "doctor.out");

    private static final List<String> COMMANDS =
            List.of("train", "again", "sample", "weights", "trace", "help", "doctor");

    @TempDir private static Path folder;
    private static Map<String, byte[]> english;

    @BeforeAll
    static void runInEnglish() throws Exception {
        Path data = Files.createDirectory(folder.resolve("data"));
        for (int i = 0; i < 4; i++) {
            var picture = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
            picture.setRGB(i, 2 * i, 0xffffff);
            ImageIO.write(picture, "png", data.resolve(i + ".png").toFile());
            Files.writeString(data.resolve(i + ".txt"), "I " + i);
        }
        Files.writeString(folder.resolve("vae.json"), CONFIG);
        english = run("en-US");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ar-EG", "tr-TR"})
    void everyFileAndAnswerIsTheSame(String locale) throws Exception {
        var files = run(locale);
        assertEquals(english.keySet(), files.keySet());
        files.forEach(
                (name, bytes) -> {
                    if (TIMED.stream().noneMatch(name::endsWith)) {
                        assertArrayEquals(english.get(name), bytes, name);
                    }
                    if (!name.endsWith(".png") && !name.endsWith(".safetensors")) {
                        assertAsciiDigits(name, new String(bytes, StandardCharsets.UTF_8));
                    }
                });
    }

    private static void assertAsciiDigits(String name, String text) {
        assertTrue(
                text.codePoints().noneMatch(c -> c > 0x7F && Character.isDigit(c)),
                () -> name + ": " + text);
    }

    @Test
    void allCommandsDidTheirWork() {
        for (String command : COMMANDS) {
            assertEquals("0", text(command + ".exit"), () -> text(command + ".err"));
        }
        assertTrue(english.keySet().stream().anyMatch(name -> name.endsWith("step-000002.png")));
        assertTrue(english.containsKey("a-7.png"));
        assertTrue(text("weights.out").contains("[4, 3, 3, 3]"), text("weights.out"));
        assertEquals(text("train.out"), text("again.out"));
        assertEquals("finished before: all 3 steps are taken\n", text("again.err"));
    }

    private static String text(String name) {
        return new String(english.get(name), StandardCharsets.UTF_8);
    }

    /** What the commands leave in a folder, by names. */
    private static Map<String, byte[]> run(String locale) throws Exception {
        Path out = Files.createDirectory(folder.resolve(locale));
        Path said = folder.resolve(locale + ".said");
        Process java =
                Child.jvm(
                                List.of(
                                        "-Djava.awt.headless=true",
                                        "-Duser.language=" + locale.substring(0, 2),
                                        "-Duser.country=" + locale.substring(3)),
                                LocaleTest.class.getName(),
                                List.of(folder.toString(), Cases.model("pixart_alpha")))
                        .directory(out.toFile())
                        .redirectOutput(said.toFile())
                        .start();
        java.getOutputStream().close();
        assertTrue(java.waitFor(240, TimeUnit.SECONDS));
        assertEquals(0, java.exitValue(), Files.readString(said));
        Map<String, byte[]> files = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(out)) {
            for (Path file : paths.filter(Files::isRegularFile).toList()) {
                files.put(out.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return files;
    }

    /**
     * Runs the commands in the working folder, and writes there what they say.
     *
     * @param args the folder of the inputs, and a model
     */
    public static void main(String[] args) throws IOException {
        String vae = args[0] + File.separator + "vae.json";
        String data = args[0] + File.separator + "data";
        command("train", "train", "vae", "--config", vae, "--data", data, "--out", "run");
        command("again", "train", "vae", "--config", vae, "--data", data, "--out", "run");
        List<String> sample = new ArrayList<>(List.of("sample", "I SIT", "--model", args[1]));
        sample.addAll(List.of("--width", "16", "--height", "16", "--no-binning", "--steps", "2"));
        sample.addAll(List.of("--seed", "7", "--batch", "2", "--out", "a-{seed}.png", "--json"));
        sample.addAll(List.of("--trace", "trace.safetensors", "--steps-strip", "strip.png"));
        command("sample", sample.toArray(String[]::new));
        command("weights", "inspect", "run");
        command("trace", "inspect", "trace.safetensors");
        command("help", "sample", "--help");
        command("doctor", "doctor");
    }

    private static void command(String name, String... arguments) throws IOException {
        var out = new StringWriter();
        var err = new StringWriter();
        int exit = Main.run(new PrintWriter(out), new PrintWriter(err, true), arguments);
        Files.writeString(Path.of(name + ".exit"), String.valueOf(exit));
        Files.writeString(Path.of(name + ".out"), out.toString());
        Files.writeString(Path.of(name + ".err"), err.toString());
    }
}
