package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.runtime.libtorch.LibtorchNotFoundException;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds the shim that was built for a libtorch. */
final class Shim {
    static final String HOW_TO_BUILD =
            "build the shim for it: LIBTORCH=<its folder> mvn -pl native process-classes";

    private Shim() {}

    /**
     * The library named by {@code -Ddarkroom.shim}, or the one on the class path for the libtorch's
     * version, copied into the cache if it lies in a jar.
     */
    static Path find(LibtorchLocation libtorch) {
        String file = System.mapLibraryName("darkroom");
        String set = System.getProperty("darkroom.shim");
        if (set != null) {
            Path path = Path.of(set).toAbsolutePath();
            if (!Files.isRegularFile(path)) {
                throw new LibtorchNotFoundException("-Ddarkroom.shim names no file: " + path);
            }
            return path;
        }
        String resource =
                "dev/darkroom/native/" + Platform.name() + "/" + libtorch.version() + "/" + file;
        try (InputStream in = Platform.resource(resource)) {
            if (in == null) {
                throw new LibtorchNotFoundException(
                        "there is no shim for libtorch "
                                + libtorch.version()
                                + " ("
                                + libtorch.source()
                                + ", "
                                + libtorch.directory()
                                + ") on "
                                + Platform.name()
                                + "; "
                                + HOW_TO_BUILD);
            }
            byte[] bytes = in.readAllBytes();
            return Cache.folder(
                            Path.of("shim", Sha256.of(bytes).substring(0, 32)),
                            folder -> Files.write(folder.resolve(file), bytes))
                    .resolve(file);
        } catch (IOException e) {
            throw new LibtorchNotFoundException(
                    e.getMessage() + "; choose another folder with -Ddarkroom.cache", e);
        }
    }
}
