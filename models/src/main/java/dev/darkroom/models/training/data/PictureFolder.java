package dev.darkroom.models.training.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.models.training.run.Hashes;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A folder of pictures with captions: a text file beside each, {@code cat.png} and {@code cat.txt},
 * or {@code metadata.jsonl}, a JSON object a line with {@code file_name}, {@code text} and whatever
 * else is to be kept.
 */
public final class PictureFolder {
    private static final String METADATA = "metadata.jsonl";
    private static final Set<String> KINDS = Set.of("png", "jpg", "jpeg", "gif", "bmp");
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /**
     * A picture and what is known of it.
     *
     * @param file of the picture
     * @param caption of it
     * @param fields the other fields of its line, as texts
     */
    public record Example(Path file, String caption, Map<String, String> fields) {}

    private final Path folder;
    private final List<Example> examples;

    private PictureFolder(Path folder, List<Example> examples) {
        this.folder = folder;
        this.examples = List.copyOf(examples);
    }

    /**
     * Finds the pictures; none is decoded yet.
     *
     * @throws IOException if there are none, a caption or a picture is missing, or a line of {@code
     *     metadata.jsonl} can't be understood
     */
    public static PictureFolder open(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new IOException("there is no folder of pictures " + folder);
        }
        Path metadata = folder.resolve(METADATA);
        List<Example> examples =
                Files.exists(metadata) ? listed(folder, metadata) : withTexts(folder);
        if (examples.isEmpty()) {
            throw new IOException(
                    folder
                            + " holds no pictures ("
                            + String.join(", ", KINDS.stream().sorted().toList())
                            + ")");
        }
        return new PictureFolder(folder, examples);
    }

    private static List<Example> withTexts(Path folder) throws IOException {
        List<Path> pictures;
        try (Stream<Path> files = Files.list(folder)) {
            pictures = files.filter(PictureFolder::isPicture).sorted().toList();
        }
        List<Example> examples = new ArrayList<>();
        Set<Path> captions = new HashSet<>();
        for (Path picture : pictures) {
            String name = picture.getFileName().toString();
            Path caption =
                    picture.resolveSibling(name.substring(0, name.lastIndexOf('.')) + ".txt");
            if (!Files.isRegularFile(caption)) {
                throw new IOException(
                        picture
                                + " has no caption: there is neither "
                                + caption
                                + " nor a "
                                + METADATA);
            }
            if (!captions.add(caption)) {
                throw new IOException(caption + " is the caption of two pictures; rename one");
            }
            examples.add(new Example(picture, read(caption).strip(), Map.of()));
        }
        return examples;
    }

    private static boolean isPicture(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return KINDS.contains(name.substring(name.lastIndexOf('.') + 1))
                && Files.isRegularFile(file);
    }

    private static String read(Path file) throws IOException {
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new IOException(file + " is not UTF-8", e);
        }
    }

    private static List<Example> listed(Path folder, Path metadata) throws IOException {
        List<Example> examples = new ArrayList<>();
        Set<Path> seen = new HashSet<>();
        List<String> lines = read(metadata).lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).isBlank()) {
                continue;
            }
            String where = metadata + ", line " + (i + 1) + ": ";
            Example example = example(folder, where, lines.get(i));
            if (!seen.add(example.file)) {
                throw new IOException(where + example.file + " was listed before");
            }
            examples.add(example);
        }
        return examples;
    }

    private static Example example(Path folder, String where, String line) throws IOException {
        JsonNode json;
        try {
            json = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            throw new IOException(where + "no JSON object: " + e.getOriginalMessage(), e);
        }
        Map<String, String> fields = new LinkedHashMap<>();
        json.properties().forEach(each -> fields.put(each.getKey(), each.getValue().asText()));
        String name = fields.remove("file_name");
        String caption = fields.remove("text");
        if (name == null || caption == null) {
            throw new IOException(where + "file_name and text are needed");
        }
        return new Example(inside(folder, where, name), caption.strip(), fields);
    }

    private static Path inside(Path folder, String where, String name) throws IOException {
        try {
            Path file = folder.resolve(name).normalize();
            if (!file.startsWith(folder.normalize())) {
                throw new IOException(where + name + " leads out of the folder");
            }
            if (!Files.isRegularFile(file)) {
                throw new IOException(where + "there is no picture " + file);
            }
            return file;
        } catch (InvalidPathException e) {
            throw new IOException(where + "no file name: " + name, e);
        }
    }

    /** The pictures, in the order of their names or of the lines. */
    public List<Example> examples() {
        return examples;
    }

    /**
     * The SHA-256 of names, captions, fields and sizes of the files: two folders that differ in it
     * are different data.
     */
    public String fingerprint() throws IOException {
        var digest = Hashes.sha256();
        for (Example example : examples) {
            Hashes.update(
                    digest,
                    folder.relativize(example.file).toString().replace('\\', '/'),
                    example.caption,
                    String.valueOf(example.fields),
                    String.valueOf(Files.size(example.file)));
        }
        return Hashes.hex(digest);
    }
}
