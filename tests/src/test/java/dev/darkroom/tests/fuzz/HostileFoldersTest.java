package dev.darkroom.tests.fuzz;

import dev.darkroom.testing.Child;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

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
        ProcessBuilder hostile =
                Child.jvm(
                        List.of(
                                "-Xmx512m",
                                "-XX:+ExitOnOutOfMemoryError",
                                "-XX:ErrorFile=" + folder.resolve("crash.txt")),
                        HostileFolders.class.getName(),
                        List.of(
                                Files.createDirectory(folder.resolve("work")).toString(),
                                Integer.toString(FOLDERS),
                                System.getProperty("darkroom.attack.named", "")));
        System.out.print(
                Child.start(hostile, folder.resolve("output.txt"))
                        .requireSuccess(FOLDERS == 0 ? 36_000 : 300));
    }
}
