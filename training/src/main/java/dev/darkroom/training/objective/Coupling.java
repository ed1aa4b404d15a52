package dev.darkroom.training.objective;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;

/** Which noise goes with which sample of a batch. */
@FunctionalInterface
public interface Coupling {
    /** Leaves pairs as they are drawn. */
    Coupling INDEPENDENT = (clean, noise) -> noise;

    /**
     * The permutation of the noise with the least sum of squared distances to the data: optimal
     * transport within the batch (Tong et al. 2023, arXiv:2302.00482, section 3.3), solved exactly.
     * Time grows with N³. Data stay where they are, and so do their conditions.
     */
    Coupling OPTIMAL_TRANSPORT = Coupling::transported;

    /**
     * Permutes noise.
     *
     * @param clean data {@code [N,C,…]}
     * @param noise of the same shape
     * @return noise for each sample of the data {@code [N,C,…]}
     */
    Tensor couple(Tensor clean, Tensor noise);

    private static Tensor transported(Tensor clean, Tensor noise) {
        try (var scope = TensorScope.open();
                var mode = Mode.current().withGradients(false).enter()) {
            // ‖x − ε‖² = ‖x‖² + ‖ε‖² − 2·x·ε, where any permutation has the same sum of squares.
            Tensor rows = clean.flatten(1, -1).to(DType.FLOAT64);
            Tensor columns = noise.flatten(1, -1).to(DType.FLOAT64);
            double[] flat = rows.matmul(columns.transpose(0, 1)).negated().toDoubleArray();
            int n = Math.toIntExact(clean.size(0));
            var cost = new double[n][];
            Arrays.setAll(cost, i -> Arrays.copyOfRange(flat, i * n, (i + 1) * n));
            Tensor order = Tensor.copyOf(Assignment.solve(cost), n).to(noise.device());
            return scope.keep(noise.indexSelect(0, order));
        }
    }
}
