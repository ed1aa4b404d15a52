package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

class CompletionCommandTest {
    @TempDir private Path folder;

    /** What bash offers for the last of the words. */
    private Set<String> complete(String... words) throws IOException, InterruptedException {
        Path script = folder.resolve("completion");
        Files.writeString(script, Run.darkroom("completion", "bash").out());
        String ask =
                """
                source %s
                compopt() { :; } # refuses to work outside of a real completion
                COMP_WORDS=(darkroom "$@") COMP_CWORD=$#
                _complete_darkroom
                printf '%%s\\n' "${COMPREPLY[@]}"
                """
                        .formatted(script);
        var command = new ArrayList<>(List.of("bash", "-c", ask, "bash"));
        command.addAll(List.of(words));
        var bash =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        bash.getOutputStream().close();
        String said = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, bash.waitFor());
        return Set.of(said.strip().split("\\s+"));
    }

    @Test
    void bashCompletesCommandsOptionsAndValues() throws IOException, InterruptedException {
        assertEquals(Set.of("sample", "samplers"), complete("sa"));
        assertEquals(
                Set.of(
                        "--steps",
                        "--steps-strip",
                        "--seed",
                        "--sampler",
                        "--sigmas",
                        "--start",
                        "--strength",
                        "--strict"),
                complete("sample", "--s"));
        assertEquals(Set.of("--control", "--control-image"), complete("sample", "--co"));
        assertEquals(Set.of("bfloat16"), complete("sample", "--dtype", "b"));
        assertTrue(complete("sample", "--sampler", "").contains("dpm++2m"));
    }

    @Test
    void zshTakesTheSameScript() {
        var zsh = Run.darkroom("completion", "zsh");
        assertEquals(0, zsh.exit());
        assertTrue(zsh.out().contains("bashcompinit"), zsh.out());
    }

    @Test
    void anotherShellIsRefused() {
        var run = Run.darkroom("completion", "fish");
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("fish"), run.err());
    }
}
