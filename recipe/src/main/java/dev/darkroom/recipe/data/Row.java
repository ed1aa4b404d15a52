package dev.darkroom.recipe.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A line of {@value #METADATA}, about a picture, or of {@value #HELD_OUT}, about what no picture
 * shows.
 *
 * @param file the picture's name in the folder; null for what is held out
 * @param text the caption
 * @param emoji the character
 * @param name its first name
 * @param background its colour
 * @param object the object's colour; null if it has no single one
 * @param recoloured whether the object was given that colour
 */
public record Row(
        @Nullable String file,
        String text,
        String emoji,
        String name,
        Colour background,
        @Nullable Colour object,
        boolean recoloured) {
    /** The pictures of a data folder. */
    public static final String METADATA = "metadata.jsonl";

    /** What is held out of a data folder. */
    public static final String HELD_OUT = "held-out.jsonl";

    private static final JsonMapper JSON = new JsonMapper();

    /** Reads a file of lines. */
    public static List<Row> read(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            rows.add(of(JSON.readTree(line)));
        }
        return rows;
    }

    private static Row of(JsonNode line) {
        JsonNode file = line.path("file_name");
        JsonNode object = line.path("object_colour");
        return new Row(
                file.isTextual() ? file.asText() : null,
                line.path("text").asText(),
                line.path("emoji").asText(),
                line.path("name").asText(),
                Colour.ofWord(line.path("background").asText()),
                object.isTextual() ? Colour.ofWord(object.asText()) : null,
                line.path("recoloured").asBoolean());
    }

    /** Writes a file of lines. */
    static void write(Path file, List<Row> rows) throws IOException {
        var text = new StringBuilder();
        for (Row row : rows) {
            text.append(row.json()).append('\n');
        }
        Files.writeString(file, text);
    }

    private ObjectNode json() {
        ObjectNode line = JSON.createObjectNode();
        if (file != null) {
            line.put("file_name", file);
        }
        line.put("text", text)
                .put("emoji", emoji)
                .put("name", name)
                .put("background", background.word())
                .put("object_colour", object == null ? null : object.word())
                .put("recoloured", recoloured)
                .put("split", file == null ? "held-out" : "train");
        return line;
    }
}
