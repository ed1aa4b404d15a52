package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Every supported sampler configuration equals diffusers. {@code -Ddarkroom.cases} points at
 * another folder of cases, where all folders count whose name begins with {@code schedulers}.
 */
class SchedulerConformanceTest {
    private static final double BOUND = 1e-5;

    @Test
    void equalsDiffusersOnTheReferenceCases() throws IOException {
        List<Path> folders =
                Cases.all().stream()
                        .filter(each -> each.getFileName().toString().startsWith("schedulers"))
                        .toList();
        assertFalse(folders.isEmpty(), "no case in " + Cases.folder().toAbsolutePath());
        for (Path folder : folders) {
            check(folder, Cases.areOurs());
        }
    }

    @Test
    void equalsDiffusersForTheOtherOptions() throws IOException {
        check(Path.of("oracle", "schedulers"), true);
    }

    /**
     * Compares a folder's configurations.
     *
     * @param strict whether none of a class that Darkroom has may be refused, and none is allowed
     *     more for the rounding of diffusers
     */
    private static void check(Path folder, boolean strict) throws IOException {
        try (var expected = SchedulerCase.expected(folder)) {
            Set<String> missed = new TreeSet<>(expected.names());
            List<String> failures = new ArrayList<>();
            int compared = 0;
            double largest = 0;
            for (SchedulerCase each : SchedulerCase.all(folder, expected)) {
                String refusal = each.isOfKnownClass() ? each.refusal() : "no such class";
                if (refusal != null) {
                    assertTrue(!strict || !each.isOfKnownClass(), each + ": " + refusal);
                    System.out.println(each + ": not supported: " + refusal);
                    missed.removeIf(key -> key.startsWith(each.key() + "."));
                    continue;
                }
                List<SchedulerCase.Comparison> comparisons = each.run();
                Map<String, Double> worst = SchedulerCase.worst(comparisons);
                System.out.printf("%-45s %s%n", each, worst);
                comparisons.forEach(comparison -> missed.remove(comparison.key()));
                double difference = Collections.max(worst.values());
                largest = Math.max(largest, difference);
                compared++;
                double bound = strict ? BOUND : Math.max(BOUND, each.rounding());
                if (difference > bound) {
                    failures.add(each + " " + worst + " above " + bound);
                }
                assertEquals(
                        0, worst.get("noise") == null ? 0 : worst.get("noise"), each + " noise");
            }
            System.out.printf(
                    "%s: %d configurations, largest difference %.1e%n",
                    folder.getFileName(), compared, largest);
            assertTrue(compared > 0, "no configuration is of a supported class");
            assertEquals(Set.of(), missed, "not compared");
            assertTrue(failures.isEmpty(), () -> String.join("\n", failures));
        }
    }
}
