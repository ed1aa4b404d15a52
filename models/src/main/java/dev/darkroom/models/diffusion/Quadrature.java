package dev.darkroom.models.diffusion;

/** Integrals of the polynomial through some values: what each value counts. */
final class Quadrature {
    private Quadrature() {}

    /**
     * The weights that make the weighted sum of a polynomial's values its integral.
     *
     * @param nodes where the values are known, all different
     * @param moments the integrals of 1, u, u², …, as many as there are nodes
     * @return a weight for each node: Σ weight·nodeʲ is the j-th moment
     */
    static double[] weights(double[] nodes, double[] moments) {
        int n = nodes.length;
        var rows = new double[n][n + 1];
        for (int j = 0; j < n; j++) {
            for (int i = 0; i < n; i++) {
                rows[j][i] = Math.pow(nodes[i], j);
            }
            rows[j][n] = moments[j];
        }
        return solved(rows);
    }

    /** Solves linear equations by elimination with pivots; the last column is the right side. */
    private static double[] solved(double[][] rows) {
        int n = rows.length;
        for (int column = 0; column < n; column++) {
            int pivot = column;
            for (int row = column + 1; row < n; row++) {
                if (Math.abs(rows[row][column]) > Math.abs(rows[pivot][column])) {
                    pivot = row;
                }
            }
            double[] chosen = rows[pivot];
            rows[pivot] = rows[column];
            rows[column] = chosen;
            for (int row = 0; row < n; row++) {
                if (row != column) {
                    double factor = rows[row][column] / chosen[column];
                    for (int i = column; i <= n; i++) {
                        rows[row][i] -= factor * chosen[i];
                    }
                }
            }
        }
        var solution = new double[n];
        for (int i = 0; i < n; i++) {
            solution[i] = rows[i][n] / rows[i][i];
        }
        return solution;
    }
}
