package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

class CouplingTest {
    private static double cost(double[][] cost, int[] columns) {
        return IntStream.range(0, columns.length).mapToDouble(i -> cost[i][columns[i]]).sum();
    }

    /** Tries all permutations. */
    private static double least(double[][] cost, int row, int used) {
        if (row == cost.length) {
            return 0;
        }
        double least = Double.POSITIVE_INFINITY;
        for (int column = 0; column < cost.length; column++) {
            if ((used & 1 << column) == 0) {
                double rest = least(cost, row + 1, used | 1 << column);
                least = Math.min(least, cost[row][column] + rest);
            }
        }
        return least;
    }

    @Test
    void assignmentsAreTheBest() {
        var random = new Random(4);
        for (int trial = 0; trial < 300; trial++) {
            int n = 1 + trial % 7;
            boolean ties = trial % 2 == 0;
            var cost = new double[n][n];
            for (double[] row : cost) {
                Arrays.setAll(row, i -> ties ? random.nextInt(-3, 4) : random.nextGaussian());
            }
            int[] columns = Assignment.solve(cost);
            assertArrayEquals(
                    IntStream.range(0, n).toArray(), Arrays.stream(columns).sorted().toArray());
            assertEquals(least(cost, 0, 0), cost(cost, columns), 1e-9);
        }
    }

    @Test
    void nothingAndNonsense() {
        assertEquals(0, Assignment.solve(new double[0][]).length);
        assertThrows(
                IllegalArgumentException.class, () -> Assignment.solve(new double[][] {{1, 2}}));
        assertThrows(
                IllegalArgumentException.class,
                () -> Assignment.solve(new double[][] {{Double.NaN}}));
    }

    @Test
    void onALineTransportKeepsTheOrder() {
        try (var scope = TensorScope.open();
                var generator = new Generator(2)) {
            Tensor clean = Tensor.randn(generator, 300, 1);
            Tensor noise = Tensor.randn(generator, 300, 1);
            Tensor coupled = Coupling.OPTIMAL_TRANSPORT.couple(clean, noise);
            Tensor order = clean.flatten(0, -1).sort(0, false).get(1);
            float[] sorted = coupled.flatten(0, -1).indexSelect(0, order).toFloatArray();
            float[] expected = noise.flatten(0, -1).sort(0, false).get(0).toFloatArray();
            assertArrayEquals(expected, sorted);
            assertTrue(Coupling.INDEPENDENT.couple(clean, noise) == noise);
        }
    }
}
