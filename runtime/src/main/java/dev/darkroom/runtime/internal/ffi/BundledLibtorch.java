package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.runtime.Cache;
import dev.darkroom.runtime.LibtorchNotFoundException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
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
            folder = Cache.folder(name, to -> unpack(torch, BLAS + Platform.name() + "/", to));
        } catch (IOException e) {
            throw new LibtorchNotFoundException(
                    "libtorch could not be unpacked into "
                            + Cache.root().resolve(name)
                            + " ("
                            + e
                            + "); free about 400 MB there or choose another folder with"
                            + " -Ddarkroom.cache",
                    e);
        }
        String version = torchVersion.substring(0, torchVersion.indexOf('-'));
        return new LibtorchLocation(source, folder, version, LibtorchLocation.libraries(folder));
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
