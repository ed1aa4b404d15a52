package dev.darkroom.runtime.internal.ffi;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Folders of the cache appear whole or not at all, whoever else unpacks them at the same time. */
final class Unpacking {
    private Unpacking() {}

    static Path temporaryBeside(Path folder) throws IOException {
        Files.createDirectories(folder.getParent());
        return Files.createTempDirectory(folder.getParent(), ".unpacking-");
    }

    /** Renames the finished folder; if another process was first, its folder stays. */
    static void publish(Path partial, Path folder) throws IOException {
        try {
            Files.move(partial, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            delete(partial);
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
