package dev.darkroom.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Networks at full size declare exactly the keys and shapes of the reference's classes, and take no
 * memory for it. Each family has a {@code .keys} file among the resources: a config, then keys, in
 * which braces list several ({@code {q,k,v}}, {@code {0..27}}), and shapes. {@code
 * -Ddarkroom.published=FOLDER} names a folder with more: {@code keys/NAME/PART.json} and the
 * configs for them.
 */
class DeclaredKeysTest {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pixart-alpha-xl2-1024",
                "dit-xl2-256",
                "unet-sd15",
                "unet-sdxl",
                "controlnet-sd15",
                "unet2d-ddpm-256",
                "unet2d-imagenet64",
                "t5-v1_1-xxl",
                "clip-bigg",
                "autoencoder-kl-f8"
            })
    void networksDeclareTheReferencesKeys(String name) throws IOException {
        List<String> lines;
        try (var in = DeclaredKeysTest.class.getResourceAsStream("keys/" + name + ".keys")) {
            lines = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
        var expected = new TreeMap<String, Shape>();
        for (String line : lines.subList(1, lines.size())) {
            String[] words = line.split(" +");
            long[] sizes = Stream.of(words).skip(1).mapToLong(Long::parseLong).toArray();
            for (String key : expanded(words[0])) {
                assertEquals(null, expected.put(key, Shape.of(sizes)), key + " is listed twice");
            }
        }
        var network = Networks.of(JSON.readTree(lines.getFirst())).orElseThrow();
        assertDeclares(expected, network);
    }

    /** The names that braces stand for. */
    private static List<String> expanded(String pattern) {
        int open = pattern.indexOf('{');
        if (open < 0) {
            return List.of(pattern);
        }
        int close = pattern.indexOf('}');
        String inside = pattern.substring(open + 1, close);
        String[] range = inside.split("\\.\\.");
        Stream<String> choices =
                range.length == 2
                        ? IntStream.rangeClosed(
                                        Integer.parseInt(range[0]), Integer.parseInt(range[1]))
                                .mapToObj(Integer::toString)
                        : Stream.of(inside.split(","));
        var all = new ArrayList<String>();
        choices.forEach(
                choice ->
                        all.addAll(
                                expanded(
                                        pattern.substring(0, open)
                                                + choice
                                                + pattern.substring(close + 1))));
        return all;
    }

    /**
     * Compares, and says how many parameters there are.
     *
     * @return without those that are tied
     */
    private static long assertDeclares(Map<String, Shape> expected, Networks.Network network) {
        long live = Memory.liveTensors();
        Map<String, Shape> declared = Weights.declared(network.constructor());
        assertEquals(live, Memory.liveTensors());
        var untied = new TreeMap<>(expected);
        untied.keySet().removeAll(network.tied());
        assertEquals(untied, new TreeMap<>(declared));
        return declared.values().stream().mapToLong(Shape::elements).sum();
    }

    @Test
    void networksDeclareThePublishedKeys() throws IOException {
        String property = System.getProperty("darkroom.published");
        assumeTrue(property != null, "-Ddarkroom.published names no folder");
        Path published = Path.of(property);
        List<Path> lists;
        try (var files = Files.walk(published.resolve("keys"), 2)) {
            lists =
                    files.filter(file -> file.getNameCount() == published.getNameCount() + 3)
                            .sorted()
                            .toList();
        }
        int compared = 0;
        for (Path list : lists) {
            String name = list.getParent().getFileName().toString();
            String part = list.getFileName().toString().replace(".json", "");
            var config = config(published, name, part);
            var network = config.isMissingNode() ? null : Networks.of(config).orElse(null);
            if (network == null) {
                System.out.println("declared keys: " + name + "/" + part + " is not supported yet");
                continue;
            }
            var expected = new TreeMap<String, Shape>();
            JSON.readTree(list.toFile())
                    .properties()
                    .forEach(each -> expected.put(each.getKey(), shape(each.getValue().get(1))));
            long parameters = assertDeclares(expected, network);
            System.out.printf(
                    "declared keys: %s/%s %d tensors, %,d parameters%n",
                    name, part, expected.size(), parameters);
            compared++;
        }
        assertTrue(compared > 0, "no list of keys in " + published);
    }

    private static Shape shape(JsonNode sizes) {
        return Shape.of(
                IntStream.range(0, sizes.size()).mapToLong(i -> sizes.get(i).asLong()).toArray());
    }

    /** A part's config: written for the list of keys, or as it was published. */
    private static JsonNode config(Path published, String name, String part) throws IOException {
        var written =
                JSON.readTree(published.resolve("keys/configs-written-by-hand.json").toFile())
                        .path(name)
                        .path(part);
        if (!written.isMissingNode()) {
            return written;
        }
        try (var files = Files.walk(published.resolve("hub"), 4)) {
            var found =
                    files.filter(
                                    file ->
                                            file.endsWith(Path.of(name, part, "config.json"))
                                                    || file.endsWith(Path.of(name, "config.json")))
                            .findFirst();
            return found.isPresent() ? JSON.readTree(found.get().toFile()) : JSON.missingNode();
        }
    }
}
