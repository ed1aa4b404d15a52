package dev.darkroom.tests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The reference cases: the copies in the project, or another folder named by a property. */
final class Cases {
    private Cases() {}

    /** {@code -Ddarkroom.cases}, or {@code cases} beside this module's POM. */
    static Path folder() {
        return Path.of(System.getProperty("darkroom.cases", "cases"));
    }

    static Path named(String name) {
        return folder().resolve(name);
    }

    /** The folders of all cases, by name. */
    static List<Path> all() throws IOException {
        try (Stream<Path> files = Files.list(folder())) {
            return files.filter(Files::isDirectory).sorted().toList();
        }
    }
}
