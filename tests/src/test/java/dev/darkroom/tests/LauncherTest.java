package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The launcher {@code ./darkroom} with a Maven and a JDK that only pretend: what it says while it
 * builds, where standard error is no terminal.
 */
class LauncherTest {
    private static final Path LAUNCHER =
            Path.of(System.getProperty("basedir", "."), "..", "darkroom");

    /** What the Maven here says, line by line; the launcher looks once a second. */
    private static final String BUILD =
            """
            #!/bin/sh
            say() { printf '%s\\n' "$@"; sleep 0.3; }
            say '[INFO] Scanning for projects...'
            say 'Downloading from central: https://example.org/org/apache/maven/plugins/a.jar'
            say 'Downloading from central: https://example.org/org/bytedeco/pytorch.jar'
            printf 'Progress (1): 40/110 MB\\rProgress (2): 90/110 MB | 2/20 MB\\r'
            say 'Downloaded from central: https://example.org/org/bytedeco/pytorch.jar'
            say '[INFO] --- dependency:3.9.0:unpack-dependencies (unpack-libtorch) @ native ---'
            say '-- Fetching the headers of libtorch 2.13.0 (a wheel of about 110 MB, once)'
            say "-- Compiling Darkroom's native part for libtorch 2.13.0"
            say '[INFO] --- compiler:3.14.1:compile (default-compile) @ darkroom-runtime ---'
            say 'Downloading from central: https://example.org/org/apache/maven/plugins/b.jar'
            sleep 4
            """;

    private static final String DONE =
            "touch cli/target/darkroom-cli-1.jar cli/target/class-path\n";

    private record Run(int status, String out, List<String> err) {}

    @TempDir private Path folder;

    private Path home;

    @BeforeEach
    void pretend() throws IOException {
        home = Files.createDirectory(folder.resolve("home"));
        Files.copy(LAUNCHER, home.resolve("darkroom"));
        Files.createDirectories(home.resolve("cli"));
        script("jdk/bin/javac", "#!/bin/sh\n");
        script("jdk/bin/java", "#!/bin/sh\necho \"Java: $*\"\n");
        Files.writeString(folder.resolve("jdk/release"), "JAVA_VERSION=\"25\"\n");
        script("bin/cmake", "#!/bin/sh\n");
        script("bin/c++", "#!/bin/sh\n");
    }

    private void script(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
        assertTrue(file.toFile().setExecutable(true));
    }

    private Run launch(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("sh", home.resolve("darkroom").toString()));
        command.addAll(List.of(arguments));
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        var builder = new ProcessBuilder(command);
        var environment = builder.environment();
        environment.put("JAVA_HOME", folder.resolve("jdk").toString());
        environment.put("HOME", home.toString());
        environment.put("XDG_CACHE_HOME", folder.resolve("cache").toString());
        environment.remove("LIBTORCH");
        environment.remove("CXX");
        environment.merge(
                "PATH",
                folder.resolve("bin").toString(),
                (old, ours) -> ours + File.pathSeparator + old);
        Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        process.getOutputStream().close();
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return new Run(process.exitValue(), Files.readString(out), Files.readAllLines(err));
    }

    @Test
    void theFirstStartTellsEachStageAndLaterOnesNothing() throws Exception {
        script("bin/mvn", BUILD + DONE);
        Run first = launch("doctor");
        assertEquals(0, first.status, first.err::toString);
        assertTrue(first.out.startsWith("Java: "), first.out);
        assertTrue(first.out.contains("dev.darkroom.cli.Main doctor"), first.out);
        String log = home.resolve("cli/target/launcher/build.log").toRealPath().toString();
        assertEquals(
                List.of(
                        "darkroom: building; the first time takes 2 to 5 minutes and fetches about"
                                + " 330 MB",
                        "darkroom: using the JDK in "
                                + folder.resolve("jdk")
                                + "; what the build says goes to "
                                + log,
                        "darkroom: fetching Maven plugins and Java libraries …",
                        "darkroom: fetching libtorch (about 110 MB, once) …",
                        "darkroom: unpacking libtorch …",
                        "darkroom: fetching the headers of libtorch (about 110 MB, once) …",
                        "darkroom: compiling the native part …",
                        "darkroom: compiling darkroom-runtime …"),
                first.err.subList(0, first.err.size() - 1));
        String last = first.err.getLast();
        assertTrue(last.matches("darkroom: built in \\d+ s; starting"), last);
        assertTrue(Files.readString(Path.of(log)).contains("Downloaded from"));
        assertEquals(-1, Files.readString(Path.of(log)).indexOf('\r'));

        Run later = launch("doctor");
        assertEquals(List.of(), later.err);
        assertTrue(later.out.contains("dev.darkroom.cli.Main doctor"), later.out);
    }

    @Test
    void quietBuildsSayNothing() throws Exception {
        script("bin/mvn", "#!/bin/sh\necho '[INFO] Scanning for projects...'\n" + DONE);
        Run run = launch("sample", "--quiet", "a cat");
        assertEquals(0, run.status, run.err::toString);
        assertEquals(List.of(), run.err);
    }

    @Test
    void aBuildThatFailsTellsWhy() throws Exception {
        script("bin/mvn", "#!/bin/sh\necho '[INFO] Scanning'\necho '[ERROR] no network'\nexit 1\n");
        Run run = launch("sample", "--quiet", "a cat");
        assertEquals(1, run.status);
        assertEquals("", run.out);
        assertEquals("[ERROR] no network", run.err.getFirst());
        assertTrue(run.err.getLast().startsWith("darkroom: the build failed"), run.err::toString);
    }
}
