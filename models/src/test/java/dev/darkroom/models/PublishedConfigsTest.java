package dev.darkroom.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.Warnings;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Configs of published checkpoints, in {@code hub} of the folder that {@code -Ddarkroom.published}
 * names: each is read without a warning, or refused with a reason that names what is not supported.
 */
class PublishedConfigsTest {
    /** Reads a config. */
    private interface Reader {
        Object read(Path file, Warnings warnings) throws IOException;
    }

    private Path hub;

    @BeforeEach
    void find() {
        String property = System.getProperty("darkroom.published");
        assumeTrue(property != null, "-Ddarkroom.published names no folder");
        hub = Path.of(property).resolve("hub");
    }

    private List<Path> files(Predicate<Path> which) throws IOException {
        try (var files = Files.walk(hub)) {
            return files.filter(Files::isRegularFile).filter(which).sorted().toList();
        }
    }

    /** Reads all; the names of the classes that are refused. */
    private static List<String> refused(List<Path> files, Reader reader) throws IOException {
        var refused = new ArrayList<String>();
        for (Path file : files) {
            var warnings = Warnings.collected();
            try {
                reader.read(file, warnings);
                assertEquals(List.of(), warnings.list());
            } catch (ConfigException e) {
                String name = new JsonMapper().readTree(file.toFile()).path("_class_name").asText();
                assertTrue(e.getMessage().contains(name + " is not supported"), e.getMessage());
                refused.add(name);
            }
        }
        assertTrue(files.size() > refused.size(), "nothing was read");
        return refused;
    }

    @Test
    void autoencoders() throws IOException {
        var files = files(file -> file.endsWith("config.json") && file.toString().contains("/vae"));
        assertEquals(List.of(), refused(files, AutoencoderKlConfig::read));
    }

    @Test
    void textEncoders() throws IOException {
        var files =
                files(
                        file ->
                                file.endsWith("config.json")
                                        && file.toString().contains("text_encoder")
                                        && contains(file, "\"model_type\": \"t5\""));
        assertEquals(List.of(), refused(files, T5Config::read));
        var clips =
                files(
                        file ->
                                file.endsWith("config.json")
                                        && file.toString().contains("text_encoder")
                                        && contains(file, "\"model_type\": \"clip_text_model\""));
        assertEquals(
                List.of(),
                refused(
                        clips,
                        (file, warnings) ->
                                contains(file, "WithProjection")
                                        ? ConfigReader.read(
                                                file, warnings, ClipConfig::ofProjecting)
                                        : ClipConfig.read(file, warnings)));
    }

    /** All but the one that reads its texts by another kind of encoder. */
    @Test
    void unets() throws IOException {
        var files =
                files(
                        file ->
                                file.endsWith(Path.of("unet", "config.json"))
                                        && !contains(file, "\"encoder_hid_dim\": 4096"));
        assertEquals(List.of(), refused(files, UnetConfig::read));
    }

    @Test
    void controlNets() throws IOException {
        var files =
                files(
                        file ->
                                file.endsWith("config.json")
                                        && contains(file, "\"_class_name\": \"ControlNetModel\""));
        assertEquals(List.of(), refused(files, ControlNetConfig::read));
    }

    @Test
    void schedulers() throws IOException {
        var files = files(file -> file.endsWith("scheduler_config.json"));
        assertEquals(List.of(), refused(files, Scheduler::read));
    }

    private static boolean contains(Path file, String text) {
        try {
            return Files.readString(file).contains(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
