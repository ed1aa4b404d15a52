package dev.darkroom.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where Darkroom keeps what it unpacks once on a machine: natives and the embedded model. Its
 * folders appear whole or not at all, whoever else unpacks them at the same time; they may be
 * deleted while nothing runs.
 */
public final class Cache {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.cache");

    private Cache() {}

    /** Writes the files of a folder. */
    @FunctionalInterface
    public interface Content {
        /**
         * @param folder exists and is empty
         */
        void writeTo(Path folder) throws IOException;
    }

    /** {@code -Ddarkroom.cache}, or Darkroom's folder in the user's cache folder. */
    public static Path root() {
        String set = System.getProperty("darkroom.cache");
        if (set != null) {
            return Path.of(set);
        }
        String home = System.getProperty("user.home");
        Path base =
                Optional.ofNullable(System.getenv("XDG_CACHE_HOME"))
                        .filter(text -> !text.isBlank())
                        .map(Path::of)
                        .orElse(Path.of(home, ".cache"));
        return base.resolve("darkroom");
    }

    /**
     * A folder of the cache, which is written if it is not there. That is logged, since it takes
     * some seconds for the natives.
     *
     * @param name a path below {@link #root}; another content has another name
     * @throws IOException if it can't be written; nothing is left then
     */
    public static Path folder(Path name, Content content) throws IOException {
        Path folder = root().resolve(name);
        if (!Files.isDirectory(folder)) {
            Path parent = Objects.requireNonNull(folder.getParent());
            Files.createDirectories(parent);
            LOG.log(System.Logger.Level.INFO, "unpacking " + folder + ", once on this machine");
            Path partial = Files.createTempDirectory(parent, ".unpacking-");
            try {
                content.writeTo(partial);
                publish(partial, folder);
            } finally {
                if (Files.exists(partial)) {
                    delete(partial);
                }
            }
        }
        return folder;
    }

    /** Renames the finished folder; if another process was first, its folder stays. */
    private static void publish(Path partial, Path folder) throws IOException {
        try {
            Files.move(partial, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            if (!Files.isDirectory(folder)) {
                throw e;
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(folder)) {
            files = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : files) {
            Files.delete(file);
        }
    }
}
