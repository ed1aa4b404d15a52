package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

class OrderTest {
    private static int[] indices(Order order, long first, int count) {
        return IntStream.range(0, count).map(i -> order.index(first + i)).toArray();
    }

    @Test
    void everyEpochShowsEachExampleOnceInAnotherOrder() {
        var order = new Order(100, 7);
        var all = IntStream.range(0, 100).toArray();
        for (int epoch = 0; epoch < 5; epoch++) {
            int[] shown = indices(order, 100L * epoch, 100);
            assertTrue(!Arrays.equals(shown, indices(order, 100L * epoch + 100, 100)));
            Arrays.sort(shown);
            assertArrayEquals(all, shown);
            assertEquals(epoch, order.epoch(100L * epoch + 99));
        }
    }

    @Test
    void anySampleIsWhatItIsInSequence() {
        int[] sequence = indices(new Order(7, 3), 0, 700);
        var anywhere = new Order(7, 3);
        var random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            int sample = random.nextInt(700);
            assertEquals(sequence[sample], anywhere.index(sample));
        }
        assertTrue(!Arrays.equals(sequence, indices(new Order(7, 4), 0, 700)));
    }

    /** Chi-squared of places with 15 degrees of freedom each; 44.3 is exceeded once in 10,000. */
    @Test
    void everyExampleIsEverywhereAsOften() {
        int epochs = 20_000;
        var order = new Order(16, 11);
        var counts = new int[16][16];
        for (int sample = 0; sample < 16 * epochs; sample++) {
            counts[sample % 16][order.index(sample)]++;
        }
        double expected = epochs / 16.0;
        for (int[] place : counts) {
            double chi = 0;
            for (int count : place) {
                chi += (count - expected) * (count - expected) / expected;
            }
            assertTrue(chi < 44.3, "chi² " + chi);
        }
    }

    @Test
    void farSamplesTakeNoTime() {
        var order = new Order(5, 1);
        assertTrue(order.index(Long.MAX_VALUE) < 5);
    }

    @Test
    void whatCannotBeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Order(0, 1));
        assertThrows(IllegalArgumentException.class, () -> new Order(2, 1).index(-1));
    }
}
