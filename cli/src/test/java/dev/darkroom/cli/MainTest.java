package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.List;

class MainTest {
    private static final List<String> COMMANDS =
            List.of(
                    "sample",
                    "download",
                    "models",
                    "samplers",
                    "guidance",
                    "inspect",
                    "doctor",
                    "completion");

    @Test
    void helpNamesEveryCommand() {
        var run = Run.darkroom("--help");
        assertEquals(0, run.exit());
        for (String command : COMMANDS) {
            assertTrue(run.out().contains("\n  " + command + " "), run.out());
        }
    }

    @Test
    void everyCommandHasHelp() {
        for (String command : COMMANDS) {
            var run = Run.darkroom(command, "--help");
            assertEquals(0, run.exit());
            assertTrue(run.out().startsWith("Usage: darkroom " + command), run.out());
        }
    }

    @Test
    void versionNamesDarkroomJavaAndLibtorch() {
        var lines = Run.darkroom("--version").out().lines().toList();
        assertTrue(lines.get(0).matches("darkroom \\d+\\.\\d+\\.\\d+.*"), lines.get(0));
        assertTrue(lines.get(1).startsWith("java " + System.getProperty("java.version")));
        assertTrue(lines.get(2).matches("libtorch \\d+\\.\\d+\\.\\d+ by default.*"), lines.get(2));
    }

    @Test
    void whatCannotBeUnderstoodIsAUsageError() {
        var nothing = Run.darkroom();
        assertEquals(2, nothing.exit());
        assertEquals(
                "darkroom: Name a command.\n'darkroom --help' shows what there is.\n",
                nothing.err());
        var typo = Run.darkroom("sampel");
        assertEquals(2, typo.exit());
        assertTrue(typo.err().contains("Did you mean: darkroom sample"), typo.err());
        var option = Run.darkroom("doctor", "--jsn");
        assertEquals(2, option.exit());
        assertTrue(option.err().contains("--json"), option.err());
    }

    @Test
    void failuresOfTheFileSystemBecomeSentences() {
        assertEquals("a: permission denied", Main.explain(new AccessDeniedException("a")));
        assertEquals("a: there is no such file", Main.explain(new NoSuchFileException("a")));
        assertEquals("a: gone", Main.explain(new NoSuchFileException("a", null, "gone")));
        assertEquals("java.lang.IllegalStateException", Main.explain(new IllegalStateException()));
    }
}
