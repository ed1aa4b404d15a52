package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Darkroom in class loaders of servers and plugin hosts, in a JVM of its own. */
class ClassLoadersTest {
    @Test
    void theSecondOfTwoLoadersIsToldWhatToDo(@TempDir Path folder) throws Exception {
        run(folder, "two");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aLoaderThatIsClosedIsCollectedAndLeavesNothing(@TempDir Path folder) throws Exception {
        run(folder, "after", Integer.getInteger("darkroom.attack.loaders", 10).toString());
    }

    private static void run(Path folder, String... arguments) throws Exception {
        Process child = Child.start(folder, List.of(), ClassLoaders.class, arguments);
        boolean ended = child.waitFor(180, TimeUnit.SECONDS);
        child.destroyForcibly();
        String output = Files.readString(folder.resolve("output.txt"));
        System.out.print(output);
        assertTrue(ended, output);
        assertEquals(0, child.exitValue(), output);
    }
}
