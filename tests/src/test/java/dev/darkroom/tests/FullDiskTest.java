package dev.darkroom.tests;

import dev.darkroom.testing.Child;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Path;
import java.util.List;

/**
 * A full disk is an error that names the folder, and leaves nothing half written. {@code
 * -Ddarkroom.attack.times} asks for more tries, {@code -Ddarkroom.attack.disk} for a small file
 * system that is really filled, instead of a limit of the size of files.
 */
@EnabledOnOs(OS.LINUX)
class FullDiskTest {
    @Test
    void nothingIsLeftOfWhatDidNotFit(@TempDir Path folder) throws Exception {
        String disk = System.getProperty("darkroom.attack.disk");
        int times = Integer.getInteger("darkroom.attack.times", 8);
        System.out.print(
                Child.start(
                                folder,
                                List.of("-Xmx256m"),
                                FullDisk.class,
                                Cases.model("pixart_alpha"),
                                disk == null ? folder.toRealPath().toString() : disk,
                                Integer.toString(times),
                                "1",
                                Boolean.toString(disk != null),
                                Cases.model("sd15"))
                        .requireSuccess(60 + 12L * times));
    }
}
