package dev.darkroom.training.data;

import dev.darkroom.common.Sha256;

import org.jspecify.annotations.Nullable;

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
 *       around it; no folders inside. Small and capital letters count as the same where no name is
 *       exactly that.
 * </ul>
 *
 * Texts are UTF-8, or UTF-16 with a byte order mark. Pictures are PNG, JPEG, WebP, BMP or GIF (of
 * which the first frame counts). They are not opened yet. Hidden files, such as {@code ._cat.png},
 * are ignored.
 */
public final class PictureFolder {
    /** How pictures are decoded: another number where the same file gives other pixels. */
    private static final String DECODING = "2";

    private final Path folder;
    private final Map<String, Example> examples;
    private final List<Path> leftOut;

    private PictureFolder(Path folder, Map<String, Example> examples, List<Path> leftOut) {
        this.folder = folder;
        this.examples = examples;
        this.leftOut = leftOut;
    }

    /**
     * Lists a folder.
     *
     * @throws DataException if it is in neither form or in both, or a line, a picture or a caption
     *     is missing, wrong or given twice; it names the file and the line
     * @throws IOException if something can't be read
     */
    public static PictureFolder open(Path folder) throws IOException {
        return open(folder, Problems.THROW);
    }

    /** Lists a folder; what is wrong with one picture or caption leaves out that one. */
    static PictureFolder open(Path folder, Problems problems) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new DataException(
                    folder,
                    Files.exists(folder) ? "this is not a folder" : "there is no such folder");
        }
        List<Path> files = files(folder);
        List<Path> pictures = files.stream().filter(PictureFolder::isPicture).toList();
        var texts = new CaptionFiles(files);
        Path metadata = metadata(files);
        Map<String, Example> examples =
                metadata == null
                        ? fromTexts(folder, pictures, texts, problems)
                        : fromMetadata(metadata, pictures, texts, problems);
        Set<Path> used = texts.used();
        if (metadata == null) {
            used.addAll(pictures);
        } else {
            examples.values().forEach(example -> used.add(example.file()));
        }
        return new PictureFolder(
                folder,
                examples,
                files.stream()
                        .filter(file -> !used.contains(file) && !file.equals(metadata))
                        .toList());
    }

    /** Returns the files of a folder but those that systems leave in any folder, sorted. */
    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> !Files.isDirectory(file) && !isOfSystem(file))
                    .sorted()
                    .toList();
        }
    }

    /** macOS's {@code ._cat.png} and {@code .DS_Store}, and Windows' {@code Thumbs.db}. */
    private static boolean isOfSystem(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.startsWith(".") || name.equals("thumbs.db") || name.equals("desktop.ini");
    }

    static boolean isPicture(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return !isOfSystem(file)
                && dot > 0
                && PictureFormat.EXTENSIONS.contains(
                        name.substring(dot + 1).toLowerCase(Locale.ROOT));
    }

    private static @Nullable Path metadata(List<Path> files) throws DataException {
        List<Path> named =
                files.stream()
                        .filter(
                                file ->
                                        file.getFileName()
                                                .toString()
                                                .equalsIgnoreCase(Metadata.NAME))
                        .toList();
        if (named.size() > 1) {
            throw new DataException(
                    named.getFirst(),
                    "there is also " + named.get(1).getFileName() + "; delete one of them");
        }
        return named.isEmpty() ? null : named.getFirst();
    }

    private static Map<String, Example> fromMetadata(
            Path metadata, List<Path> pictures, CaptionFiles texts, Problems problems)
            throws DataException {
        for (Path picture : pictures) {
            if (texts.has(picture)) {
                throw new DataException(
                        metadata,
                        "there is also "
                                + texts.take(picture).getFileName()
                                + ": captions come from one or the other; delete one of them");
            }
        }
        return Metadata.read(metadata, problems);
    }

    private static Map<String, Example> fromTexts(
            Path folder, List<Path> pictures, CaptionFiles texts, Problems problems)
            throws DataException {
        if (pictures.isEmpty()) {
            throw new DataException(
                    folder,
                    "there is neither a "
                            + Metadata.NAME
                            + " nor a picture ("
                            + PictureFormat.NAMES
                            + ") with its caption in a .txt file beside it");
        }
        var examples = new TreeMap<String, Example>();
        for (Path picture : pictures) {
            try {
                String caption = caption(texts.take(picture));
                examples.put(
                        picture.getFileName().toString(), new Example(picture, caption, Map.of()));
            } catch (DataException e) {
                problems.add(e);
            }
        }
        return examples;
    }

    private static String caption(Path text) throws DataException {
        String caption = TextFile.strip(TextFile.read(text));
        if (caption.isEmpty()) {
            throw new DataException(text, "the caption is empty");
        }
        return caption;
    }

    /** Returns the folder. */
    public Path path() {
        return folder;
    }

    /** Returns all pictures, sorted by their names within the folder. */
    public List<Example> examples() {
        return List.copyOf(examples.values());
    }

    /** Files beside the pictures that nothing is made of, sorted. */
    public List<Path> leftOut() {
        return leftOut;
    }

    /** Returns the distinct captions, sorted. */
    public List<String> captions() {
        return examples.values().stream().map(Example::caption).distinct().sorted().toList();
    }

    /**
     * Returns the SHA-256 of names, captions, fields and the bytes of the pictures: another one for
     * another data set, wherever the folder lies. Reads every file.
     *
     * @return hexadecimal digits
     */
    public String fingerprint() throws IOException {
        var sha = new Sha256();
        sha.addAll(DECODING);
        for (var each : examples.entrySet()) {
            Example example = each.getValue();
            sha.addAll(each.getKey(), example.caption());
            new TreeMap<>(example.fields()).forEach((name, value) -> sha.addAll(name, value));
            sha.addAll(Sha256.of(example.file()));
        }
        return sha.hex();
    }
}
