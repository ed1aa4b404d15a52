package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.runtime.libtorch.LibtorchNotFoundException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;

/**
 * The libtorch in the jars from Maven Central. Its libraries are copied once into the cache,
 * because the system's loader reads files only; the JNI libraries that lie beside them are left
 * alone.
 */
final class BundledLibtorch {
    private static final String TORCH = "org/bytedeco/pytorch/";
    private static final String BLAS = "org/bytedeco/openblas/";

    private BundledLibtorch() {}

    static @Nullable LibtorchLocation find(String source) {
        String torch = TORCH + Platform.name() + "/";
        if (Platform.resourceUrl(torch + System.mapLibraryName("torch_cpu")) == null) {
            return null;
        }
        String torchVersion = version("pytorch");
        Path name =
                Path.of(
                        "libtorch",
                        torchVersion + "-" + version("openblas") + "-" + Platform.name());
        Path folder;
        try {
            folder =
                    Cache.folder(
                            name,
                            to -> {
                                unpack(torch, BLAS + Platform.name() + "/", to);
                                compare(to, known(number(torchVersion)));
                            });
        } catch (IOException e) {
            throw new LibtorchNotFoundException(
                    e.getMessage()
                            + "; it takes about 400 MB, and -Ddarkroom.cache chooses another"
                            + " folder",
                    e);
        }
        return new LibtorchLocation(
                source, folder, number(torchVersion), LibtorchLocation.libraries(folder));
    }

    /** Returns {@code 2.13.0} of {@code 2.13.0-1.5.14}. */
    private static String number(String version) {
        return version.substring(0, version.indexOf('-'));
    }

    /** Lines of {@code sha256sum} that darkroom-native has for a version; none if it has none. */
    private static List<String> known(String version) throws IOException {
        String path = "dev/darkroom/native/" + Platform.name() + "/" + version + "/natives.sha256";
        try (InputStream in = Platform.resource(path)) {
            return in == null
                    ? List.of()
                    : new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }

    /** Fails if a library is not the one that the shim was built with. */
    static void compare(Path folder, List<String> known) throws IOException {
        for (String line : known) {
            int space = line.indexOf(' ');
            Path file = folder.resolve(line.substring(space).strip());
            if (!Files.isRegularFile(file) || !Sha256.of(file).equals(line.substring(0, space))) {
                throw new IOException(
                        "the jars on the class path don't have the "
                                + file.getFileName()
                                + " that Darkroom was built with, by its SHA-256; delete"
                                + " org.bytedeco's jars in Maven's local repository and build"
                                + " again");
            }
        }
    }

    private static void unpack(String torch, String blas, Path folder) throws IOException {
        for (String prefix : List.of(torch, blas)) {
            for (String name : FILES) {
                URL resource = Platform.resourceUrl(prefix + name);
                if (resource != null) {
                    try (InputStream in = resource.openStream()) {
                        Files.copy(in, folder.resolve(name));
                    }
                }
            }
        }
    }

    /** The plain libraries among the JNI ones. */
    private static final List<String> FILES =
            List.of(
                    "libtorch.so",
                    "libtorch_cpu.so",
                    "libc10.so",
                    "libgomp.so.1",
                    "libopenblas.so.0",
                    "libgcc_s.so.1",
                    "libquadmath.so.0",
                    "libgfortran.so.5");

    private static String version(String artifact) {
        String path = "META-INF/maven/org.bytedeco/" + artifact + "/pom.properties";
        try (InputStream in = Platform.resource(path)) {
            var properties = new Properties();
            if (in != null) {
                properties.load(in);
            }
            String version = properties.getProperty("version");
            if (version == null) {
                throw new LibtorchNotFoundException(
                        "the jar of org.bytedeco:" + artifact + " does not tell its version");
            }
            return version;
        } catch (IOException e) {
            throw new LibtorchNotFoundException("the class path can't be read: " + e, e);
        }
    }
}
