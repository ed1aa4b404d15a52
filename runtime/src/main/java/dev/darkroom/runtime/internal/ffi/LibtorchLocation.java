package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.runtime.libtorch.LibtorchNotFoundException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A libtorch on this machine.
 *
 * @param source how it was found, for people: "-Ddarkroom.libtorch"
 * @param directory the folder with its libraries
 * @param version such as {@code 2.10.0}
 * @param libraries the files to load, in this order
 */
public record LibtorchLocation(
        String source, Path directory, String version, List<Path> libraries) {
    /** For a Python to answer; on a cold disk it takes seconds. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Pattern VERSION = Pattern.compile("(\\d+\\.\\d+\\.\\d+)");

    /** In the order of their dependencies; those that a libtorch lacks are passed over. */
    private static final List<String> LOAD_ORDER =
            List.of(
                    "gcc_s.1",
                    "quadmath.0",
                    "gfortran.5",
                    "gomp.1",
                    "openblas.0",
                    "c10",
                    "c10_cuda",
                    "torch_cpu",
                    "torch_cuda",
                    "torch");

    /** One place where a libtorch may be, tried in the order of the constants. */
    public enum Source {
        PROPERTY("-Ddarkroom.libtorch") {
            @Override
            public @Nullable LibtorchLocation find() {
                String directory = System.getProperty("darkroom.libtorch");
                return directory == null ? null : inDirectory(label(), Path.of(directory));
            }
        },
        ENVIRONMENT("LIBTORCH") {
            @Override
            public @Nullable LibtorchLocation find() {
                String directory = System.getenv("LIBTORCH");
                return directory == null || directory.isBlank()
                        ? null
                        : inDirectory(label(), Path.of(directory));
            }
        },
        CLASS_PATH("natives on the class path") {
            @Override
            public @Nullable LibtorchLocation find() {
                return BundledLibtorch.find(label());
            }
        },
        PYTHON("an installed Python torch") {
            @Override
            public @Nullable LibtorchLocation find() {
                Path directory = pythonTorch();
                return directory == null ? null : inDirectory(label(), directory);
            }
        };

        private final String label;

        Source(String label) {
            this.label = label;
        }

        /** Returns the name of this source, for people. */
        public String label() {
            return label;
        }

        /**
         * @return null if this source has none
         * @throws LibtorchNotFoundException if it names one that can't be used
         */
        public abstract @Nullable LibtorchLocation find();
    }

    static LibtorchLocation find() {
        for (Source source : Source.values()) {
            LibtorchLocation found = source.find();
            if (found != null) {
                return found;
            }
        }
        throw new LibtorchNotFoundException(
                "no libtorch found. Put org.bytedeco:pytorch with the classifier "
                        + Platform.name()
                        + " on the class path (darkroom-native brings it on linux-x86_64), or point"
                        + " LIBTORCH or -Ddarkroom.libtorch at an unpacked libtorch or at the torch"
                        + " folder of a Python installation");
    }

    /** Returns {@code 2.10} of {@code 2.10.0+cpu}. */
    static String minor(String version) {
        String[] parts = version.split("[.+]", 3);
        return parts.length < 2 ? version : parts[0] + "." + parts[1];
    }

    /** Finds the libraries below a folder or its {@code lib}. */
    static LibtorchLocation inDirectory(String source, Path given) {
        Path root = given.toAbsolutePath().normalize();
        Path lib = Files.isDirectory(root.resolve("lib")) ? root.resolve("lib") : root;
        if (!Files.isRegularFile(lib.resolve(System.mapLibraryName("torch_cpu")))) {
            throw new LibtorchNotFoundException(
                    source
                            + " points at "
                            + given
                            + ", which holds no "
                            + System.mapLibraryName("torch_cpu")
                            + ", in itself or in lib; point it at an unpacked libtorch or at a"
                            + " Python torch folder");
        }
        return new LibtorchLocation(source, lib, version(source, root), libraries(lib));
    }

    private static String version(String source, Path root) {
        Path parent = root.getParent();
        Path home = root.endsWith("lib") && parent != null ? parent : root;
        for (String file :
                List.of(
                        "build-version",
                        "version.py",
                        "include/torch/version.h",
                        "include/torch/headeronly/version.h")) {
            try {
                Matcher version = VERSION.matcher(Files.readString(home.resolve(file)));
                if (version.find()) {
                    return version.group(1);
                }
            } catch (IOException e) {
                // Not in this file; perhaps in the next.
            }
        }
        throw new LibtorchNotFoundException(
                source
                        + " points at "
                        + root
                        + ", whose version can't be told: it has neither build-version nor"
                        + " version.py");
    }

    static List<Path> libraries(Path lib) {
        List<Path> files = new ArrayList<>();
        for (String name : LOAD_ORDER) {
            int dot = name.indexOf('.');
            String base = System.mapLibraryName(dot < 0 ? name : name.substring(0, dot));
            Path file = lib.resolve(dot < 0 ? base : base + name.substring(dot));
            if (Files.isRegularFile(file)) {
                files.add(file);
            }
        }
        return List.copyOf(files);
    }

    /** Asks the python3 on the PATH where its torch is, without importing it. */
    private static @Nullable Path pythonTorch() {
        return pythonTorch("python3", PATIENCE);
    }

    /**
     * Asks a Python where its torch is. The answer is read when the process has ended, and only
     * what is there by then: neither Python nor what it has started can hold this up.
     */
    static @Nullable Path pythonTorch(String command, Duration patience) {
        try {
            Process python =
                    new ProcessBuilder(
                                    command,
                                    "-c",
                                    "import importlib.util as u; s = u.find_spec('torch');"
                                        + " print(s.submodule_search_locations[0] if s else '')")
                            .redirectError(ProcessBuilder.Redirect.DISCARD)
                            .start();
            python.getOutputStream().close();
            if (!python.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
                python.descendants().forEach(ProcessHandle::destroyForcibly);
                python.destroyForcibly();
                return null;
            }
            InputStream answer = python.getInputStream();
            String path =
                    new String(answer.readNBytes(answer.available()), StandardCharsets.UTF_8)
                            .strip();
            return path.isEmpty() ? null : Path.of(path);
        } catch (IOException | InvalidPathException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }
}
