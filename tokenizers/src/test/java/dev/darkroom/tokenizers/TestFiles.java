package dev.darkroom.tokenizers;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.testing.PackedFiles;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.zip.GZIPInputStream;

/** The files that the tokenizers' tests share. */
final class TestFiles {
    static final ObjectMapper JSON = new ObjectMapper();

    private static final Path CASES = unpacked();

    private TestFiles() {}

    /** The reference cases of the tokenizers, whose large files are gzipped in the project. */
    static Path cases() {
        return CASES;
    }

    private static Path unpacked() {
        Path packed = Path.of(System.getProperty("darkroom.cases", "../tests/cases"), "tokenizers");
        Path to = Path.of("target", "tokenizers");
        try {
            PackedFiles.unpack(packed, to);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return to;
    }

    static InputStream resource(String name) throws IOException {
        var in = Objects.requireNonNull(TestFiles.class.getResourceAsStream(name), name);
        return name.endsWith(".gz") ? new GZIPInputStream(in) : in;
    }

    static List<JsonNode> lines(String name) throws IOException {
        var nodes = new ArrayList<JsonNode>();
        try (var in = new BufferedReader(new InputStreamReader(resource(name), UTF_8))) {
            for (var line = in.readLine(); line != null; line = in.readLine()) {
                nodes.add(JSON.readTree(line));
            }
        }
        return nodes;
    }

    /** CLIP's tokenizer.json: the golden skeleton with the case's vocabulary and merges. */
    static void writeClipTokenizerJson(Path file, boolean mergesAsPairs) throws IOException {
        ObjectNode root;
        try (var in = resource("clip-tokenizer.json")) {
            root = (ObjectNode) JSON.readTree(in);
        }
        var model = (ObjectNode) root.get("model");
        model.set("vocab", JSON.readTree(cases().resolve("clip/vocab.json").toFile()));
        var merges = model.putArray("merges");
        Files.readAllLines(cases().resolve("clip/merges.txt")).stream()
                .skip(1)
                .forEach(
                        line -> {
                            if (mergesAsPairs) {
                                var pair = line.split(" ");
                                merges.addArray().add(pair[0]).add(pair[1]);
                            } else {
                                merges.add(line);
                            }
                        });
        JSON.writeValue(file.toFile(), root);
    }

    static int[] ints(JsonNode array) {
        var ints = new int[array.size()];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = array.get(i).intValue();
        }
        return ints;
    }
}
