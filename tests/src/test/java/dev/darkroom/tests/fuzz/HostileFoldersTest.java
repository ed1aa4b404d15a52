package dev.darkroom.tests.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Checkpoints of those who mean harm are refused with a line, or give a picture: nothing outside
 * them is opened, nothing hangs, fills Java's heap or stays behind. Some in every build; {@code
 * -Ddarkroom.attack.folders=0} takes all, {@code -Ddarkroom.attack.named=TEXT} those whose names
 * hold a text.
 */
@EnabledOnOs(OS.LINUX)
class HostileFoldersTest {
    private static final int FOLDERS = Integer.getInteger("darkroom.attack.folders", 60);

    @Test
    void areRefusedOrGivePictures(@TempDir Path folder) throws Exception {
        Path output = folder.resolve("output.txt");
        Process child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-Xmx512m",
                                "-XX:+ExitOnOutOfMemoryError",
                                "-XX:-CreateCoredumpOnCrash",
                                "-XX:ErrorFile=" + folder.resolve("crash.txt"),
                                "-cp",
                                System.getProperty("java.class.path"),
                                HostileFolders.class.getName(),
                                Files.createDirectory(folder.resolve("work")).toString(),
                                Integer.toString(FOLDERS),
                                System.getProperty("darkroom.attack.named", ""))
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        boolean ended = child.waitFor(FOLDERS == 0 ? 36_000 : 300, TimeUnit.SECONDS);
        child.destroyForcibly().waitFor();
        String said = Files.readString(output);
        System.out.print(said);
        assertTrue(ended, () -> "hangs: " + said);
        assertEquals(0, child.exitValue(), said);
    }
}
