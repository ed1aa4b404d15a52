package dev.darkroom.models.pipeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

class ResolutionBinsTest {
    /** Written by tests/oracle/make_resolution_bins.py. */
    @Test
    void choosesAsDiffusersDoes() throws IOException {
        List<String> lines;
        try (var reader =
                new BufferedReader(
                        new InputStreamReader(
                                Objects.requireNonNull(
                                        getClass().getResourceAsStream("resolution-bins.csv")),
                                StandardCharsets.UTF_8))) {
            lines = reader.lines().toList();
        }
        assertEquals(200, lines.size());
        for (String line : lines) {
            int[] n = Arrays.stream(line.split(",")).mapToInt(Integer::parseInt).toArray();
            var bins = ResolutionBins.forSampleSize(n[0]).orElseThrow();
            assertEquals(new ResolutionBins.Size(n[3], n[4]), bins.nearest(n[1], n[2]), line);
        }
    }

    @Test
    void otherSizesHaveNoBins() {
        assertTrue(ResolutionBins.forSampleSize(16).isEmpty());
    }
}
