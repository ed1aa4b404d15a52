package dev.darkroom.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** Folders whose large texts are gzipped in the project. */
public final class PackedFiles {
    private static final String GZIPPED = ".gz";

    private PackedFiles() {}

    /**
     * Copies a folder, with those files gunzipped that are gzipped.
     *
     * @param to the folder to make; files that are there already are replaced
     */
    public static void unpack(Path packed, Path to) throws IOException {
        Path folder = packed.toRealPath(); // which may be a link
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = folder.relativize(file).toString();
                boolean gzipped = name.endsWith(GZIPPED);
                Path copy =
                        to.resolve(
                                gzipped
                                        ? name.substring(0, name.length() - GZIPPED.length())
                                        : name);
                Files.createDirectories(copy.getParent());
                try (var in = Files.newInputStream(file);
                        var whole = gzipped ? new GZIPInputStream(in) : in) {
                    Files.copy(whole, copy, StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }
}
