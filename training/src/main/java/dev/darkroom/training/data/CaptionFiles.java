package dev.darkroom.training.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The text files of a folder, which are found by the pictures that they are beside. */
final class CaptionFiles {
    private static final String EXTENSION = ".txt";

    /** The texts by their name without extension, in small letters. */
    private final Map<String, List<Path>> texts = new HashMap<>();

    /** What was taken, with the pictures. */
    private final Map<Path, Path> taken = new HashMap<>();

    /**
     * @param files of one folder
     */
    CaptionFiles(List<Path> files) {
        for (Path file : files) {
            if (file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(EXTENSION)) {
                texts.computeIfAbsent(key(file), key -> new ArrayList<>()).add(file);
            }
        }
    }

    private static String stem(Path file) {
        String name = file.getFileName().toString();
        return name.substring(0, name.lastIndexOf('.'));
    }

    private static String key(Path file) {
        return stem(file).toLowerCase(Locale.ROOT);
    }

    /**
     * Returns those of exactly a picture's name, else those that differ in small and capital
     * letters.
     */
    private List<Path> of(Path picture) {
        List<Path> found = texts.getOrDefault(key(picture), List.of());
        List<Path> exact = found.stream().filter(each -> stem(each).equals(stem(picture))).toList();
        return exact.isEmpty() ? found : exact;
    }

    /** Returns whether a picture has a text. */
    boolean has(Path picture) {
        return !of(picture).isEmpty();
    }

    /**
     * Returns the text of a picture.
     *
     * @throws DataException if it has none or several, or it was already taken
     */
    Path take(Path picture) throws DataException {
        List<Path> found = of(picture);
        if (found.isEmpty()) {
            throw new DataException(
                    picture,
                    "its caption is missing: there is neither a "
                            + stem(picture)
                            + EXTENSION
                            + " nor a "
                            + Metadata.NAME);
        }
        if (found.size() > 1) {
            throw new DataException(
                    picture,
                    "its caption may be "
                            + found.getFirst().getFileName()
                            + " or "
                            + found.get(1).getFileName()
                            + "; delete one of them");
        }
        Path text = found.getFirst();
        Path other = taken.putIfAbsent(text, picture);
        if (other != null) {
            throw new DataException(
                    picture,
                    "its caption, "
                            + text.getFileName()
                            + ", is already that of "
                            + other.getFileName());
        }
        return text;
    }

    /** Returns what was taken. */
    Set<Path> used() {
        return new HashSet<>(taken.keySet());
    }
}
