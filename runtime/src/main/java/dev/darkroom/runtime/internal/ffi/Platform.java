package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.Locale;

/** The machine, in the names that natives' folders use, and files on the class path. */
public final class Platform {
    private Platform() {}

    /** Returns a text like {@code linux-x86_64}. */
    public static String name() {
        return os() + "-" + arch();
    }

    static String os() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        return os.startsWith("mac") ? "macosx" : os.startsWith("windows") ? "windows" : "linux";
    }

    private static String arch() {
        String arch = System.getProperty("os.arch");
        return switch (arch) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "arm64";
            default -> arch;
        };
    }

    /**
     * Returns a file on the class path. The class loader is asked, since a class in a named module
     * sees only its own module's files.
     */
    static @Nullable URL resourceUrl(String path) {
        return Platform.class.getClassLoader().getResource(path);
    }

    /** Opens a file on the class path. */
    static @Nullable InputStream resource(String path) throws IOException {
        URL url = resourceUrl(path);
        return url == null ? null : url.openStream();
    }
}
