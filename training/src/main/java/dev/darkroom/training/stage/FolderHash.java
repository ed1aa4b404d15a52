package dev.darkroom.training.stage;

import dev.darkroom.common.Sha256;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tells whether a part of another run or checkpoint is still the same. */
final class FolderHash {
    private FolderHash() {}

    /** Returns the hash of all files in a folder and of their names. */
    static String of(Path folder) throws IOException {
        var sha = new Sha256();
        try (var files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                sha.addAll(folder.relativize(file).toString(), Sha256.of(file));
            }
        }
        return sha.hex();
    }
}
