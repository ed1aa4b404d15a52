package dev.darkroom.models.training.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The lines of a {@code metadata.jsonl}. */
final class Metadata {
    static final String NAME = "metadata.jsonl";
    private static final String FILE_NAME = "file_name";
    private static final String TEXT = "text";
    private static final Set<String> OWN = Set.of(FILE_NAME, TEXT);
    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private final Path file;
    private final Path folder;

    /** By name within the folder, sorted. */
    private final TreeMap<String, Example> examples = new TreeMap<>();

    private int line;

    private Metadata(Path folder) {
        this.folder = folder;
        file = folder.resolve(NAME);
    }

    /**
     * Reads all lines but blank ones.
     *
     * @return by name within the folder, sorted
     */
    static Map<String, Example> read(Path folder) throws IOException {
        var metadata = new Metadata(folder);
        for (String line : utf8(metadata.file).lines().toList()) {
            metadata.line++;
            if (!line.isBlank()) {
                metadata.add(line);
            }
        }
        if (metadata.examples.isEmpty()) {
            throw new DataException(metadata.file, "the file is empty", null);
        }
        return metadata.examples;
    }

    /** The text of a file. */
    static String utf8(Path file) throws IOException {
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new DataException(file, "this is not text in UTF-8", e);
        }
    }

    private void add(String text) throws DataException {
        ObjectNode object = parse(text);
        String name = string(object, FILE_NAME);
        String caption = string(object, TEXT);
        var fields = new LinkedHashMap<String, String>();
        for (var each : object.properties()) {
            JsonNode value = each.getValue();
            if (!OWN.contains(each.getKey()) && !value.isNull()) {
                fields.put(each.getKey(), value.isValueNode() ? value.asText() : value.toString());
            }
        }
        Path place = inside(name);
        Path picture = folder.resolve(place);
        if (!PictureFolder.isPicture(picture)) {
            throw error(name + " is no png, jpg, jpeg, bmp or gif", null);
        }
        if (!Files.isRegularFile(picture)) {
            throw error("there is no picture " + name, null);
        }
        var example = new Example(picture, caption, fields);
        if (examples.put(place.toString().replace('\\', '/'), example) != null) {
            throw error(name + " is given twice", null);
        }
    }

    private ObjectNode parse(String text) throws DataException {
        try {
            if (JSON.readTree(text) instanceof ObjectNode object) {
                return object;
            }
        } catch (JsonProcessingException e) {
            throw error("not valid JSON: " + ConfigReader.problem(e.getOriginalMessage()), e);
        }
        throw error("a line is a JSON object", null);
    }

    private String string(ObjectNode object, String field) throws DataException {
        JsonNode value = object.get(field);
        if (value == null || value.isNull()) {
            throw error(field + " is missing", null);
        }
        if (!value.isTextual()) {
            throw error(field + " must be a string, not " + value, null);
        }
        if (value.textValue().isBlank()) {
            throw error(field + " is blank", null);
        }
        return value.textValue();
    }

    /** The path of a name, from the folder, which does not leave it. */
    private Path inside(String name) throws DataException {
        try {
            Path path = Path.of(name);
            boolean leadsUp = false;
            for (Path part : path) {
                leadsUp |= part.toString().equals("..");
            }
            if (path.getRoot() == null && !leadsUp) {
                return path.normalize();
            }
        } catch (InvalidPathException e) {
            throw error("file_name can't be that of a file: " + e.getReason(), e);
        }
        throw error(name + " is not inside the folder", null);
    }

    private DataException error(String problem, @Nullable Exception cause) {
        return new DataException(file, line, problem, cause);
    }
}
