package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.guidance.GuidanceKind;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;

import org.junit.jupiter.api.Test;

import java.util.List;

/** {@code darkroom guidance}. */
class GuidanceCommandTest {
    @Test
    void listsEachWithItsPaperAndSettingsThatAreRead() {
        var run = Run.darkroom("guidance");
        assertEquals(0, run.exit(), run.err());
        List<String> lines = run.out().lines().toList();
        for (GuidanceKind kind : GuidanceKind.values()) {
            int line = 2 * kind.ordinal();
            assertTrue(lines.get(line).startsWith(kind.id() + " "), lines.get(line));
            assertTrue(lines.get(line).contains(kind.paper()), lines.get(line));
            var guidance = NamedGuidance.parse(kind.id() + ":" + lines.get(line + 1).strip());
            assertEquals(kind.defaults(), guidance.settings());
        }
        assertTrue(lines.getLast().contains("--auto-guidance MODEL"), lines.getLast());
        assertTrue(lines.getLast().contains("arXiv:2406.02507"), lines.getLast());
    }
}
