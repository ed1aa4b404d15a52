package dev.darkroom.models.training.data;

import dev.darkroom.models.training.run.Hashes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A folder of pictures with captions, in one of two forms:
 *
 * <ul>
 *   <li>{@code metadata.jsonl} with a JSON object in each line: {@code file_name} is a picture in
 *       the folder or a folder inside, {@code text} its caption; other fields are kept. Pictures
 *       that it does not name are left out.
 *   <li>beside each picture {@code NAME.png} its caption in {@code NAME.txt}, without white space
 *       around it; no folders inside.
 * </ul>
 *
 * Pictures are PNG, JPEG, BMP or GIF (of which the first frame counts). They are not opened yet.
 */
public final class PictureFolder {
    private static final Set<String> FORMATS = Set.of("png", "jpg", "jpeg", "bmp", "gif");

    private final Path folder;
    private final Map<String, Example> examples;

    private PictureFolder(Path folder, Map<String, Example> examples) {
        this.folder = folder;
        this.examples = examples;
    }

    /**
     * Lists a folder.
     *
     * @throws DataException if it is in neither form or in both, or a line, a picture or a caption
     *     is missing, wrong or given twice; it names the file and the line
     * @throws IOException if something can't be read
     */
    public static PictureFolder open(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new DataException(
                    folder,
                    Files.exists(folder) ? "this is not a folder" : "there is no such folder",
                    null);
        }
        List<Path> pictures = pictures(folder);
        return new PictureFolder(
                folder,
                Files.exists(folder.resolve(Metadata.NAME))
                        ? fromMetadata(folder, pictures)
                        : fromTexts(folder, pictures));
    }

    private static List<Path> pictures(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(PictureFolder::isPicture).sorted().toList();
        }
    }

    static boolean isPicture(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return dot > 0 && FORMATS.contains(name.substring(dot + 1).toLowerCase(Locale.ROOT));
    }

    private static Map<String, Example> fromMetadata(Path folder, List<Path> pictures)
            throws IOException {
        for (Path picture : pictures) {
            if (Files.exists(text(picture))) {
                throw new DataException(
                        folder.resolve(Metadata.NAME),
                        "there is also "
                                + text(picture).getFileName()
                                + ": captions come from one or the other; delete one of them",
                        null);
            }
        }
        return Metadata.read(folder);
    }

    private static Map<String, Example> fromTexts(Path folder, List<Path> pictures)
            throws IOException {
        if (pictures.isEmpty()) {
            throw new DataException(
                    folder,
                    "there is neither a "
                            + Metadata.NAME
                            + " nor a picture (png, jpg, jpeg, bmp or gif) with its caption in a"
                            + " .txt file beside it",
                    null);
        }
        var examples = new TreeMap<String, Example>();
        var texts = new TreeMap<Path, Path>();
        for (Path picture : pictures) {
            Path text = text(picture);
            if (!Files.exists(text)) {
                throw new DataException(
                        picture,
                        "its caption is missing: there is neither a "
                                + text.getFileName()
                                + " nor a "
                                + Metadata.NAME,
                        null);
            }
            Path other = texts.put(text, picture);
            if (other != null) {
                throw new DataException(
                        picture,
                        "its caption, "
                                + text.getFileName()
                                + ", is already that of "
                                + other.getFileName(),
                        null);
            }
            examples.put(
                    picture.getFileName().toString(),
                    new Example(picture, caption(text), Map.of()));
        }
        return examples;
    }

    private static Path text(Path picture) {
        String name = picture.getFileName().toString();
        return picture.resolveSibling(name.substring(0, name.lastIndexOf('.')) + ".txt");
    }

    private static String caption(Path text) throws IOException {
        String caption = Metadata.utf8(text).strip();
        if (caption.isEmpty()) {
            throw new DataException(text, "the caption is empty", null);
        }
        return caption;
    }

    /** The folder. */
    public Path path() {
        return folder;
    }

    /** All pictures, sorted by their names within the folder. */
    public List<Example> examples() {
        return List.copyOf(examples.values());
    }

    /** The distinct captions, sorted. */
    public List<String> captions() {
        return examples.values().stream().map(Example::caption).distinct().sorted().toList();
    }

    /**
     * The SHA-256 of names, captions, fields and the bytes of the pictures: another one for another
     * data set, wherever the folder lies. Reads every file.
     *
     * @return hexadecimal digits
     */
    public String fingerprint() throws IOException {
        var digest = Hashes.sha256();
        for (var each : examples.entrySet()) {
            Example example = each.getValue();
            Hashes.update(digest, each.getKey(), example.caption());
            new TreeMap<>(example.fields())
                    .forEach((name, value) -> Hashes.update(digest, name, value));
            Hashes.update(digest, Hashes.of(example.file()));
        }
        return Hashes.hex(digest);
    }
}
