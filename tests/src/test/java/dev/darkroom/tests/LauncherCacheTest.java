package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The launcher, on a checkout that is built and with a JDK that only says what it was asked for.
 */
@Timeout(60)
class LauncherCacheTest {
    private static final Path LAUNCHER = Path.of("..", "darkroom");
    private static final int NOBODY = 65_534;

    @TempDir private Path folder;
    private Path checkout;
    private Path home;

    @BeforeEach
    void makeACheckout() throws IOException {
        permit(folder, "rwxr-xr-x");
        checkout = Files.createDirectories(folder.resolve("checkout"));
        home = Files.createDirectory(folder.resolve("home"));
        Files.copy(LAUNCHER, checkout.resolve("darkroom"));
        script("checkout/jdk/bin/javac", "exit 0");
        script("checkout/jdk/bin/java", "printf '%s\\n' \"$@\"");
        write("checkout/jdk/release", "JAVA_VERSION=\"25.0.1\"\n");
        write("checkout/pom.xml", "");
        write("checkout/cli/target/darkroom-cli-1.jar", "");
        write("repository/one.jar", "");
        write("checkout/cli/target/class-path", folder.resolve("repository/one.jar").toString());
        write("checkout/cli/target/launcher/built", "");
    }

    private Path write(String file, String text) throws IOException {
        Path path = folder.resolve(file);
        Files.createDirectories(path.getParent());
        return Files.writeString(path, text);
    }

    private void script(String file, String text) throws IOException {
        permit(write(file, "#!/bin/sh\n" + text + "\n"), "rwxr-xr-x");
    }

    private static void permit(Path path, String permissions) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
    }

    /** What the launcher gave the JVM, or said. */
    private List<String> start(Map<String, String> environment, String... command)
            throws Exception {
        var words = new ArrayList<>(List.of(command));
        words.addAll(List.of("sh", checkout.resolve("darkroom").toString(), "sample"));
        var builder =
                new ProcessBuilder(words).redirectErrorStream(true).directory(folder.toFile());
        builder.environment().keySet().removeAll(List.of("HOME", "XDG_CACHE_HOME", "LIBTORCH"));
        builder.environment().put("JAVA_HOME", checkout.resolve("jdk").toString());
        builder.environment().putAll(environment);
        Process process = builder.start();
        var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said.lines().toList();
    }

    private static String archive(List<String> arguments) {
        return arguments.stream()
                .filter(each -> each.startsWith("-XX:SharedArchiveFile="))
                .map(each -> each.substring(each.indexOf('=') + 1))
                .findFirst()
                .orElse("none");
    }

    private String archive(Map<String, String> environment) throws Exception {
        List<String> arguments = start(environment);
        assertTrue(arguments.contains("dev.darkroom.cli.Main"), arguments.toString());
        String archive = archive(arguments);
        assertEquals(!archive.equals("none"), arguments.contains("-XX:+VerifySharedSpaces"));
        return archive;
    }

    @Test
    void classesAreKeptInAFolderOfTheUsersAlone() throws Exception {
        Path cache = home.resolve(".cache/darkroom");
        assertTrue(archive(Map.of("HOME", home.toString())).startsWith(cache + "/classes-"));
        assertEquals(
                "rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(cache)));
    }

    @ParameterizedTest
    @CsvSource({"'',''", "relative,''", "'',relative", "relative,relative"})
    void withoutAFolderOfTheUsersNoneAreKept(String homeFolder, String cache) throws Exception {
        assertEquals("none", archive(Map.of("HOME", homeFolder, "XDG_CACHE_HOME", cache)));
        assertFalse(Files.exists(folder.resolve("relative")), "nothing in the working folder");
    }

    @Test
    void aRelativeCacheFolderIsIgnored() throws Exception {
        String archive = archive(Map.of("HOME", home.toString(), "XDG_CACHE_HOME", "relative"));
        assertTrue(archive.startsWith(home.toString()), archive);
    }

    @Test
    void whatOthersMayHaveLeftIsNotTrusted() throws Exception {
        var environment = Map.of("HOME", home.toString());
        Path kept = Files.writeString(Path.of(archive(environment)), "classes");
        assertEquals(kept.toString(), archive(environment));
        assertTrue(Files.exists(kept));
        permit(kept.getParent(), "rwxrwxrwx");
        assertEquals(kept.toString(), archive(environment));
        assertFalse(Files.exists(kept), "another user may have written it");
        assertEquals(
                "rwx------",
                PosixFilePermissions.toString(Files.getPosixFilePermissions(kept.getParent())));
    }

    @Test
    void somebodyElsesFolderIsNotTrusted() throws Exception {
        assumeTrue(isRoot(), "only root gives folders away");
        Path cache = Files.createDirectories(home.resolve(".cache/darkroom"));
        Files.setAttribute(cache, "unix:uid", NOBODY);
        assertEquals("none", archive(Map.of("HOME", home.toString())));
    }

    @Test
    void anotherUsersJarsAreToldAsSuch() throws Exception {
        assumeTrue(isRoot() && hasSetpriv(), "only root becomes another user");
        permit(folder.resolve("repository"), "rwx------");
        List<String> said =
                start(
                        Map.of("HOME", home.toString()),
                        "setpriv",
                        "--reuid=" + NOBODY,
                        "--regid=" + NOBODY,
                        "--clear-groups");
        assertEquals(1, said.size(), said.toString());
        assertEquals(
                "darkroom: another user built "
                        + checkout.toRealPath()
                        + ", with jars in "
                        + folder.resolve("repository")
                        + ", which you may not read. Run it as that user, or build a copy of your"
                        + " own.",
                said.getFirst());
    }

    private boolean isRoot() throws IOException {
        return Files.getAttribute(folder, "unix:uid").equals(0);
    }

    private static boolean hasSetpriv() {
        return Stream.of("/usr/bin/setpriv", "/bin/setpriv")
                .anyMatch(file -> Files.isExecutable(Path.of(file)));
    }
}
