package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Every supported sampler configuration equals diffusers. {@code -Ddarkroom.cases} points at
 * another folder of cases.
 */
class SchedulerConformanceTest {
    private static final double BOUND = 1e-5;

    @Test
    void equalsDiffusersOnTheReferenceCase() throws IOException {
        check(Path.of(System.getProperty("darkroom.cases", "cases"), "schedulers"));
    }

    @Test
    void equalsDiffusersForTheOtherOptions() throws IOException {
        check(Path.of("oracle", "schedulers"));
    }

    private static void check(Path folder) throws IOException {
        try (var expected = SchedulerCase.expected(folder)) {
            Set<String> missed = new TreeSet<>(expected.names());
            List<String> failures = new ArrayList<>();
            List<SchedulerCase> supported = SchedulerCase.all(folder, expected, true);
            for (SchedulerCase each : supported) {
                List<SchedulerCase.Comparison> comparisons = each.run();
                Map<String, Double> worst = SchedulerCase.worst(comparisons);
                System.out.printf("%-45s %s%n", each, worst);
                comparisons.forEach(comparison -> missed.remove(comparison.key()));
                if (worst.values().stream().anyMatch(difference -> difference > BOUND)) {
                    failures.add(each + " " + worst);
                }
                assertEquals(
                        0, worst.get("noise") == null ? 0 : worst.get("noise"), each + " noise");
            }
            assertFalse(supported.isEmpty(), "no configuration is of a supported class");
            Set<String> skipped = new HashSet<>();
            for (SchedulerCase each : SchedulerCase.all(folder, expected, false)) {
                System.out.println(each + ": not supported");
                skipped.add(each.toString().substring(0, 2));
            }
            missed.removeIf(key -> skipped.contains(key.substring(0, 2)));
            assertEquals(Set.of(), missed, "not compared");
            assertTrue(
                    failures.isEmpty(),
                    () -> "above " + BOUND + ":\n" + String.join("\n", failures));
        }
    }
}
