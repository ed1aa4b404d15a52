package dev.darkroom.training.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

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

    /** The examples by their names within the folder, sorted. */
    private final TreeMap<String, Example> examples = new TreeMap<>();

    private int line;

    private Metadata(Path file) {
        this.file = file;
        folder = file.resolveSibling("");
    }

    /**
     * Reads all lines but blank ones.
     *
     * @return by name within the file's folder, sorted
     */
    static Map<String, Example> read(Path file, Problems problems) throws DataException {
        var metadata = new Metadata(file);
        boolean isEmpty = true;
        for (String line : TextFile.read(file).lines().toList()) {
            metadata.line++;
            if (!line.isBlank()) {
                isEmpty = false;
                try {
                    metadata.add(line);
                } catch (DataException e) {
                    problems.add(e);
                }
            }
        }
        if (isEmpty) {
            problems.add(new DataException(file, "the file is empty"));
        }
        return metadata.examples;
    }

    private void add(String line) throws DataException {
        ObjectNode object = parse(line);
        String name = string(object, FILE_NAME);
        String caption = stripped(TEXT, string(object, TEXT));
        var fields = new LinkedHashMap<String, String>();
        for (var each : object.properties()) {
            JsonNode value = each.getValue();
            if (!OWN.contains(each.getKey()) && !value.isNull()) {
                String text = value.isValueNode() ? value.asText() : value.toString();
                fields.put(each.getKey(), stripped(each.getKey(), text));
            }
        }
        Path place = inside(name);
        Path picture = folder.resolve(place);
        if (!PictureFolder.isPicture(picture)) {
            throw error(name + " is no " + PictureFormat.NAMES, null);
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
            throw error("not valid JSON: " + OneLine.ofJsonProblem(e.getOriginalMessage()), e);
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
        return value.textValue();
    }

    private String stripped(String field, String text) throws DataException {
        String stripped = TextFile.strip(text);
        if (stripped.isEmpty()) {
            throw error(field + " is blank", null);
        }
        if (!TextFile.isWellFormed(stripped)) {
            throw error(field + " holds half of a character (a lone surrogate)", null);
        }
        return stripped;
    }

    /** Returns the path of a name, from the folder, which does not leave it. */
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
