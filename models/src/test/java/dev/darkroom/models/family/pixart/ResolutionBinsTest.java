package dev.darkroom.models.family.pixart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.family.Size;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;

class ResolutionBinsTest {
    private static final int LEAST = 64;
    private static final int GREATEST = 2048;

    /** Lines of numbers, written by tests/oracle/make_resolution_bins.py. */
    private static List<int[]> golden(String name) throws IOException {
        try (var reader =
                new BufferedReader(
                        new InputStreamReader(
                                Objects.requireNonNull(
                                        ResolutionBinsTest.class.getResourceAsStream(name)),
                                StandardCharsets.UTF_8))) {
            return reader.lines()
                    .map(line -> Stream.of(line.split(",")).mapToInt(Integer::parseInt).toArray())
                    .toList();
        }
    }

    @Test
    void choosesAsDiffusersDoes() throws IOException {
        List<int[]> lines = golden("resolution-bins.csv");
        assertEquals(200, lines.size());
        for (int[] n : lines) {
            var bins = ResolutionBins.forSampleSize(n[0]).orElseThrow();
            assertEquals(new Size(n[3], n[4]), bins.nearest(n[1], n[2]), Arrays.toString(n));
        }
    }

    @Test
    void scalesAsDiffusersDoesWhereThatCoversTheSize() throws IOException {
        int missed = 0;
        for (int[] n : golden("covers.csv")) {
            var asked = new Size(n[1], n[2]);
            var bins = ResolutionBins.forSampleSize(n[0]).orElseThrow();
            var scaled = asked.coveredBy(bins.nearest(n[1], n[2]));
            boolean works = n[5] == n[1] && n[6] == n[2];
            missed += works ? 0 : 1;
            assertEquals(works ? n[3] : Math.max(n[3], n[1]), scaled.height(), Arrays.toString(n));
            assertEquals(works ? n[4] : Math.max(n[4], n[2]), scaled.width(), Arrays.toString(n));
        }
        assertEquals(8, missed, "sizes that diffusers misses");
    }

    @ParameterizedTest
    @ValueSource(ints = {32, 64, 128, 256})
    void everySizeIsCovered(int sampleSize) {
        var bins = ResolutionBins.forSampleSize(sampleSize).orElseThrow();
        IntStream.rangeClosed(LEAST, GREATEST)
                .parallel()
                .forEach(
                        height -> {
                            for (int width = LEAST; width <= GREATEST; width++) {
                                var asked = new Size(height, width);
                                var sampled = bins.nearest(height, width);
                                var scaled = asked.coveredBy(sampled);
                                if (scaled.height() < height
                                        || scaled.width() < width
                                        || scaled.height() > height && scaled.width() > width) {
                                    throw new AssertionError(asked + " by " + scaled);
                                }
                            }
                        });
    }

    @Test
    void otherSizesHaveNoBins() {
        assertTrue(ResolutionBins.forSampleSize(16).isEmpty());
    }
}
