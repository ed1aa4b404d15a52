package dev.darkroom.training.objective;

import java.util.Arrays;

/**
 * The linear assignment problem, solved exactly by shortest augmenting paths (Jonker and Volgenant
 * 1987, "A shortest augmenting path algorithm for dense and sparse linear assignment problems").
 */
final class Assignment {
    private static final int NONE = -1;

    private final double[][] cost;
    private final int n;
    private final double[] rowPrice;
    private final double[] columnPrice;
    private final int[] rowOf;

    private Assignment(double[][] cost) {
        this.cost = cost;
        n = cost.length;
        rowPrice = new double[n];
        columnPrice = new double[n];
        rowOf = new int[n];
        Arrays.fill(rowOf, NONE);
    }

    /**
     * Returns a column for each row, each column once, with the least sum of costs.
     *
     * @param cost of row and column, n × n, finite
     */
    static int[] solve(double[][] cost) {
        for (double[] row : cost) {
            if (row.length != cost.length || !Arrays.stream(row).allMatch(Double::isFinite)) {
                throw new IllegalArgumentException(
                        "an assignment needs a square of finite costs; are there NaNs in the"
                                + " data?");
            }
        }
        var assignment = new Assignment(cost);
        for (int row = 0; row < assignment.n; row++) {
            assignment.add(row);
        }
        var columns = new int[assignment.n];
        for (int column = 0; column < assignment.n; column++) {
            columns[assignment.rowOf[column]] = column;
        }
        return columns;
    }

    /** Assigns one more row along the shortest path (Dijkstra's) to a free column. */
    private void add(int newRow) {
        double[] distance = new double[n];
        Arrays.fill(distance, Double.POSITIVE_INFINITY);
        int[] previous = new int[n]; // the column before, on the path
        Arrays.fill(previous, NONE);
        boolean[] done = new boolean[n];
        int column = NONE;
        int row = newRow;
        double length = 0;
        do {
            for (int next = 0; next < n; next++) {
                double reach = length + cost[row][next] - rowPrice[row] - columnPrice[next];
                if (!done[next] && reach < distance[next]) {
                    distance[next] = reach;
                    previous[next] = column;
                }
            }
            column = nearest(distance, done);
            done[column] = true;
            length = distance[column];
            row = rowOf[column];
        } while (row != NONE);

        rowPrice[newRow] += length;
        for (int each = 0; each < n; each++) {
            if (done[each] && each != column) {
                rowPrice[rowOf[each]] += length - distance[each];
                columnPrice[each] -= length - distance[each];
            }
        }
        while (column != NONE) {
            int before = previous[column];
            rowOf[column] = before == NONE ? newRow : rowOf[before];
            column = before;
        }
    }

    private int nearest(double[] distance, boolean[] done) {
        int nearest = NONE;
        for (int column = 0; column < n; column++) {
            if (!done[column] && (nearest == NONE || distance[column] < distance[nearest])) {
                nearest = column;
            }
        }
        return nearest;
    }
}
