package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.Scheduler;

import org.junit.jupiter.api.Test;

import java.util.List;

class SamplersCommandTest {
    @Test
    void listsEverySamplerWithALineAndItsPaper() {
        var run = Run.darkroom("samplers");
        assertEquals(0, run.exit());
        List<String> lines = run.out().lines().toList();
        assertEquals(Scheduler.names(), lines.stream().map(line -> line.split(" ", 2)[0]).toList());
        for (String line : lines) {
            assertTrue(line.matches("[a-z0-9+-]+ +.+ \\(.*arXiv:\\d{4}\\.\\d{5}.*\\)"), line);
        }
    }
}
