package dev.darkroom.runtime.safetensors;

import dev.darkroom.common.OneLine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Tells a file that was never there from one whose download did not finish. In a hub's cache the
 * files of {@code snapshots/COMMIT} are links into {@code blobs}, where a blob that is still being
 * fetched has the ending {@code .incomplete}.
 */
public final class UnfinishedDownload {
    private static final String INCOMPLETE = ".incomplete";

    private UnfinishedDownload() {}

    /**
     * Explains why a file can't be read, if it is a link that leads nowhere or to a part of a file,
     * or is missing from a cache in which a download is under way.
     *
     * @param file may be missing; so may folders around it
     * @return a sentence without a full stop that begins with "download unfinished"; empty for a
     *     file that is there, or missing for another reason
     */
    public static Optional<String> of(Path file) {
        for (Path path = file.toAbsolutePath(); path != null; path = path.getParent()) {
            if (Files.isSymbolicLink(path) && leadsNowhere(path)) {
                return Optional.of(
                        "download unfinished: "
                                + path
                                + " is a link to "
                                + target(path)
                                + ", which is "
                                + (Files.exists(path) ? "not complete" : "not there")
                                + "; download it again");
            }
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                return path.equals(file.toAbsolutePath()) ? Optional.empty() : inCache(file, path);
            }
        }
        return Optional.empty();
    }

    private static boolean leadsNowhere(Path link) {
        try {
            return !Files.exists(link) || link.toRealPath().toString().endsWith(INCOMPLETE);
        } catch (IOException e) {
            return true; // it went away meanwhile
        }
    }

    /** Returns where a link leads, in a line. */
    private static String target(Path link) {
        try {
            return OneLine.of(Files.readSymbolicLink(link).toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Explains a missing file, whose folder or one around it is there, in a cache with unfinished
     * blobs.
     */
    private static Optional<String> inCache(Path file, Path folder) {
        for (Path path = folder; path.getParent() != null; path = path.getParent()) {
            Path blobs = path.resolveSibling("blobs");
            boolean isCache =
                    path.getFileName().toString().equals("snapshots") && Files.isDirectory(blobs);
            if (!isCache) {
                continue;
            }
            try (DirectoryStream<Path> unfinished =
                    Files.newDirectoryStream(blobs, "*" + INCOMPLETE)) {
                if (unfinished.iterator().hasNext()) {
                    return Optional.of(
                            "download unfinished: "
                                    + file
                                    + " is missing, and "
                                    + blobs
                                    + " holds a file that is not complete; download it again");
                }
            } catch (IOException e) {
                return Optional.empty(); // a cache that can't be listed is no explanation
            }
        }
        return Optional.empty();
    }
}
