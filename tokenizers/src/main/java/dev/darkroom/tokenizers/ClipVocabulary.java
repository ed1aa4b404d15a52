package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.JsonNode;

import dev.darkroom.common.UntrustedFile;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/** The tokens of {@code vocab.json} and the merges of {@code merges.txt}, best first. */
record ClipVocabulary(Map<String, Integer> ids, List<Bpe.Merge> merges) {

    static ClipVocabulary read(Path vocab, Path merges) throws IOException {
        var json = JsonFile.read(vocab);
        return new ClipVocabulary(ids(json, json.root()), merges(merges));
    }

    /** Tokens to ids, each id once. */
    static Map<String, Integer> ids(JsonFile json, JsonNode vocab) throws TokenizerException {
        var ids = new HashMap<String, Integer>();
        var seen = new HashSet<Integer>();
        for (var entry : vocab.properties()) {
            Limits.requireToken(json.path(), "a token", entry.getKey().length());
            int id = json.id(vocab, entry.getKey(), "the id of \"" + entry.getKey() + "\"");
            if (!seen.add(id)) {
                throw json.error("the id " + id + " is there twice");
            }
            ids.put(entry.getKey(), id);
        }
        if (ids.isEmpty()) {
            throw json.error("the vocabulary is empty");
        }
        return ids;
    }

    /** The first line is a version; then there are two parts to a line. */
    private static List<Bpe.Merge> merges(Path file) throws IOException {
        byte[] bytes = Limits.read(file, UntrustedFile.JSON_TREE);
        List<String> lines;
        try {
            var text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            lines = new ArrayList<>(text.toString().lines().toList());
        } catch (CharacterCodingException e) {
            throw new TokenizerException(file, "not valid UTF-8", e);
        }
        while (!lines.isEmpty() && lines.getLast().isBlank()) {
            lines.removeLast();
        }
        var merges = new ArrayList<Bpe.Merge>();
        int end = Math.min(lines.size(), 1 + ClipTokenizer.MOST_MERGES);
        for (int i = 1; i < end; i++) {
            var parts = lines.get(i).split(" ", -1);
            if (parts.length != 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
                throw new TokenizerException(
                        file,
                        "line " + (i + 1) + " should be two parts with one space between them");
            }
            merges.add(new Bpe.Merge(parts[0], parts[1]));
        }
        return merges;
    }

    int idOrNone(String token) {
        return ids.getOrDefault(token, -1);
    }
}
