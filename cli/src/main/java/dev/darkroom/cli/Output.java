package dev.darkroom.cli;

import dev.darkroom.common.WholeFile;
import dev.darkroom.models.pipeline.Seed;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Where pictures go.
 *
 * @param pattern a path that ends in {@code .png}; {@code {seed}} and {@code {index}} in it stand
 *     for a picture's seed and its number in the batch, from 1
 */
record Output(String pattern) {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{([^{}]*)\\}");
    private static final String ENDING = ".png";

    /** Writes a file's content. */
    interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /**
     * Checks the pattern.
     *
     * @throws IllegalArgumentException if it is no name of a PNG or has an unknown placeholder
     */
    Output {
        if (!pattern.toLowerCase(Locale.ROOT).endsWith(ENDING)) {
            throw new IllegalArgumentException(
                    "pictures are written as PNG, so the name must end in .png, not be '"
                            + pattern
                            + "'");
        }
        PLACEHOLDER
                .matcher(pattern)
                .results()
                .map(found -> found.group(1))
                .filter(name -> !name.equals("seed") && !name.equals("index"))
                .findFirst()
                .ifPresent(
                        name -> {
                            throw new IllegalArgumentException(
                                    "no placeholder {" + name + "}; there are {seed} and {index}");
                        });
    }

    /** The name of one picture for a whole batch. */
    Path file(long seed) {
        return Path.of(filled(pattern, seed, 1));
    }

    /** A name for each picture; numbers are appended where the pattern does not tell them apart. */
    List<Path> files(long seed, int batch) {
        String each = pattern;
        if (batch > 1 && !PLACEHOLDER.matcher(pattern).find()) {
            int end = pattern.length() - ENDING.length();
            each = pattern.substring(0, end) + "-{index}" + pattern.substring(end);
        }
        var files = new ArrayList<Path>();
        for (int i = 0; i < batch; i++) {
            files.add(Path.of(filled(each, seed + i, i + 1)));
        }
        return files;
    }

    private static String filled(String pattern, long seed, int index) {
        return pattern.replace("{seed}", Seed.value(seed).toString())
                .replace("{index}", Integer.toString(index));
    }

    /**
     * Finds out now whether a file can be written later, by making one beside it and asking for its
     * name.
     *
     * @throws IOException if not
     */
    static void requireWritable(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new IOException(file + " is a folder; name a file in it");
        }
        Path folder = folder(file);
        if (!Files.isDirectory(folder)) {
            throw new IOException(file + " can't be written: there is no folder " + folder);
        }
        try {
            Files.delete(WholeFile.temporary(folder));
        } catch (IOException e) {
            throw new IOException(
                    file + " can't be written: the folder " + folder + " takes no new files", e);
        }
        try { // and not by making it: a killed process would leave it empty
            Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            // It is to be made.
        } catch (FileSystemException e) {
            throw new IOException(
                    file
                            + " can't be written: the system takes no such name ("
                            + e.getReason()
                            + "); choose a shorter or plainer one",
                    e);
        }
    }

    /**
     * Writes a file in full or not at all; one that was there before is replaced.
     *
     * @throws IOException if it can't be written
     */
    static void write(Path file, Content content) throws IOException {
        WholeFile.write(
                file,
                temporary -> {
                    try (var out = Files.newOutputStream(temporary)) {
                        content.writeTo(out);
                    }
                });
    }

    /** The one path of a file that need not be there, whatever links lead to its folder. */
    static Path real(Path file) {
        Path absolute = file.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        if (name == null) {
            return absolute;
        }
        try {
            return folder(absolute).toRealPath().resolve(name);
        } catch (IOException e) {
            return absolute; // no such folder, which is said when it is tried
        }
    }

    private static Path folder(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        return folder == null ? file.toAbsolutePath() : folder;
    }
}
