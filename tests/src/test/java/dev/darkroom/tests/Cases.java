package dev.darkroom.tests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The reference cases: the copies in the project, or another folder named by a property. */
public final class Cases {
    private static final String PROPERTY = "darkroom.cases";

    private Cases() {}

    /** {@code -Ddarkroom.cases}, or {@code cases} beside this module's POM. */
    static Path folder() {
        return Path.of(System.getProperty(PROPERTY, "cases"));
    }

    /** Whether they are those of the project. */
    static boolean areOurs() {
        return System.getProperty(PROPERTY) == null;
    }

    public static Path named(String name) {
        return folder().resolve(name);
    }

    /** A case's model, for processes that run elsewhere. */
    static String model(String name) throws IOException {
        return named(name).resolve("model").toRealPath().toString();
    }

    /** Copies a case's model, to be changed. */
    public static Path copyModel(String name, Path folder) throws IOException {
        Path model = named(name).resolve("model");
        try (Stream<Path> files = Files.walk(model)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = folder.resolve(model.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        return folder;
    }

    /** A folder with links to what is in a model's, any of which may be replaced. */
    static Path linked(Path model) throws IOException {
        Path folder = Files.createTempDirectory("checkpoint");
        try (Stream<Path> parts = Files.list(model)) {
            for (Path part : parts.toList()) {
                Files.createSymbolicLink(folder.resolve(part.getFileName()), part.toAbsolutePath());
            }
        }
        return folder;
    }

    /** The folders of all cases, by name. */
    static List<Path> all() throws IOException {
        try (Stream<Path> files = Files.list(folder())) {
            return files.filter(Files::isDirectory).sorted().toList();
        }
    }
}
