package dev.darkroom.runtime.cache;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Where Darkroom keeps what it unpacks once on a machine: natives and the embedded model. Its
 * folders appear whole or not at all, whoever else unpacks them at the same time; they may be
 * deleted while nothing runs.
 *
 * <p>Native code is loaded from here, so the folders belong to the user alone (mode 0700), or to
 * root where nobody else may write; others are refused. Each has a manifest of its files, written
 * last. Whoever asks for a folder gets it if the files have their sizes and times, or else their
 * contents; a folder that is damaged or incomplete is unpacked again.
 */
public final class Cache {
    private Cache() {}

    /** Writes the files of a folder. */
    @FunctionalInterface
    public interface Content {
        /**
         * @param folder exists and is empty
         */
        void writeTo(Path folder) throws IOException;
    }

    /**
     * Returns the cache's folder, an absolute path: {@code -Ddarkroom.cache}, or else Darkroom's
     * folder in the user's cache folder, which is {@code $XDG_CACHE_HOME} where that is absolute,
     * else {@code .cache} in the home folder.
     *
     * @throws IOException if none of them is set, with what to do
     */
    public static Path root() throws IOException {
        return root(
                System.getProperty("darkroom.cache"),
                System.getenv("XDG_CACHE_HOME"),
                System.getenv("HOME"),
                System.getProperty("user.home"));
    }

    static Path root(@Nullable String set, @Nullable String cache, @Nullable String... homes)
            throws IOException {
        if (set != null && !set.isBlank()) {
            return Path.of(set).toAbsolutePath().normalize();
        }
        // The XDG Base Directory Specification: "All paths set in these environment variables must
        // be absolute. If an implementation encounters a relative path […] it should consider the
        // path invalid and ignore it."
        if (cache != null && isAbsolute(cache)) {
            return Path.of(cache, "darkroom");
        }
        for (String home : homes) {
            if (home != null && isAbsolute(home)) {
                return Path.of(home, ".cache", "darkroom");
            }
        }
        throw new IOException(
                "there is no folder for what Darkroom unpacks, since neither HOME nor"
                    + " XDG_CACHE_HOME is an absolute path and the user has no home folder; name"
                    + " one with -Ddarkroom.cache");
    }

    private static boolean isAbsolute(String path) {
        return !path.isEmpty() && Path.of(path).isAbsolute();
    }

    /**
     * Returns a folder of the cache, which is written if it is not there or not as it was written.
     * That is logged, since it takes some seconds for the natives.
     *
     * @param name a relative path below {@link #root}; another content has another name
     * @throws IOException if it can't be written, or somebody else could have written it; nothing
     *     is left then
     */
    public static Path folder(Path name, Content content) throws IOException {
        Objects.requireNonNull(content, "content");
        if (name.isAbsolute() || !name.normalize().equals(name) || name.startsWith("..")) {
            throw new IllegalArgumentException("not a name of a folder in the cache: " + name);
        }
        Path root = root();
        Path folder = root.resolve(name);
        try {
            if (!Files.isDirectory(folder)
                    || !isClosed(root, folder)
                    || !Manifest.isAsWritten(folder)) {
                undisturbed(() -> unpack(root, folder, content));
            }
        } catch (IOException e) {
            throw new IOException(name + " can't be unpacked into " + root + ": " + reason(e), e);
        }
        return folder;
    }

    /** Describes the file system's failures. */
    private static String reason(IOException failure) {
        return switch (failure) {
            case AccessDeniedException denied -> "no permission for " + denied.getFile();
            case FileSystemException other when other.getReason() == null -> other.toString();
            default -> String.valueOf(failure.getMessage());
        };
    }

    /** Makes sure that nobody else could have put something between the cache and a folder. */
    private static boolean isClosed(Path root, Path folder) throws IOException {
        for (Path each = folder.getParent();
                each != null && each.startsWith(root);
                each = each.getParent()) {
            if (!each.equals(root) && Files.isSymbolicLink(each)) {
                throw new IOException(
                        each + " is a link; the folders in Darkroom's cache are plain ones");
            }
            Ownership.require(each);
        }
        return true;
    }

    private static void unpack(Path root, Path folder, Content content) throws IOException {
        Ownership.make(root);
        Ownership.make(Objects.requireNonNull(folder.getParent()));
        isClosed(root, folder);
        try (var unpacking = Unpacking.begin(root)) {
            if (Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                    && Manifest.isAsWritten(folder)) {
                return; // another process has unpacked it meanwhile
            }
            // Not a constant, since a logger takes longer to make than all else of most calls.
            System.getLogger("dev.darkroom.cache")
                    .log(
                            System.Logger.Level.INFO,
                            Files.exists(folder)
                                    ? "unpacking "
                                            + folder
                                            + " again, since it was damaged, or open to others"
                                    : "unpacking " + folder + ", once on this machine");
            Path partial = unpacking.partial(folder);
            try {
                content.writeTo(partial);
                Manifest.write(partial);
                unpacking.publish(partial, folder);
            } finally {
                Unpacking.delete(partial);
            }
        }
    }

    /**
     * Reads all that is in the cache. What is not as it was written is unpacked again when it is
     * next asked for, and what dead processes left is swept.
     *
     * @return the folders that were damaged
     * @throws IOException if the cache can't be read or changed
     */
    public static List<Path> verify() throws IOException {
        Path root = root();
        var damaged = new ArrayList<Path>();
        if (Files.isDirectory(root)) {
            Ownership.require(root);
            try (var unpacking = Unpacking.begin(root)) {
                for (Path folder : folders(root)) {
                    if (!Manifest.isIntact(folder)) {
                        Files.delete(folder.resolve(Manifest.NAME));
                        damaged.add(folder);
                    }
                }
            }
        }
        return damaged;
    }

    private static List<Path> folders(Path root) throws IOException {
        try (Stream<Path> walk = Files.walk(root, 3)) {
            return walk.filter(path -> path.endsWith(Manifest.NAME)).map(Path::getParent).toList();
        }
    }

    /** A step of unpacking. */
    private interface Step {
        void run() throws IOException;
    }

    /**
     * Begins again where an interrupt has closed a file, and leaves the interrupt to the caller.
     */
    private static void undisturbed(Step step) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try {
                    step.run();
                    return;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
