package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Momentum, orthogonalised by Newton and Schulz's iteration (Jordan et al. 2024, "Muon: An
 * optimizer for hidden layers in neural networks"; Liu et al., arXiv 2502.16982), as {@code
 * torch.optim.Muon} has it. For the matrices inside a network; a convolution's kernel {@code
 * [O,I,kH,kW]} is taken as {@code [O,I·kH·kW]}. The rest, and what reads inputs or writes outputs,
 * is better left to {@link AdamW}: see {@link ParameterGroups}.
 *
 * <p>State of a parameter: {@code KEY.momentum} in its own shape and type.
 */
public final class Muon implements Optimizer {
    // The iteration's quintic: steep at 0, and near 1 from there on.
    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;
    private static final double EPS = 1e-7;

    private final List<ParameterGroup> groups;
    private final Options options;
    private final State state;

    /** How the learning rate depends on a matrix's shape. */
    public enum Scale {
        /** √max(1, rows / columns): Jordan's. Learning rates are Muon's own, such as 0.02. */
        RATIO {
            @Override
            double of(long rows, long columns) {
                return Math.sqrt(Math.max(1, (double) rows / columns));
            }
        },
        /** 0.2·√max(rows, columns): the size of AdamW's updates, so its learning rates serve. */
        MATCH_RMS_ADAMW {
            @Override
            double of(long rows, long columns) {
                return 0.2 * Math.sqrt(Math.max(rows, columns));
            }
        };

        abstract double of(long rows, long columns);
    }

    /**
     * The options that all groups share.
     *
     * @param momentum decay of the mean of the gradients
     * @param nesterov looks one step ahead
     * @param steps of the iteration
     * @param scale of the learning rate
     * @param iteration the type that it runs in; bfloat16 is enough
     */
    public record Options(
            double momentum, boolean nesterov, int steps, Scale scale, DType iteration) {
        /** 0.95 with Nesterov, 5 steps in bfloat16, learning rates as AdamW's. */
        public static final Options DEFAULTS =
                new Options(0.95, true, 5, Scale.MATCH_RMS_ADAMW, DType.BFLOAT16);

        public Options {
            Objects.requireNonNull(scale, "scale");
            if (!(momentum >= 0 && momentum < 1) || steps < 1 || !iteration.isFloatingPoint()) {
                throw new IllegalArgumentException(
                        "Muon: the momentum lies in [0, 1), there are 1 or more steps, in a"
                                + " floating-point type; not "
                                + momentum
                                + ", "
                                + steps
                                + " and "
                                + iteration);
            }
        }
    }

    /**
     * Makes an optimizer whose momentum is zero.
     *
     * @throws IllegalArgumentException if a parameter is no matrix or kernel
     */
    public Muon(List<ParameterGroup> groups, Options options) {
        this.groups = List.copyOf(groups);
        this.options = Objects.requireNonNull(options, "options");
        Gradient.forEach(
                groups,
                (key, value) -> {
                    if (value.rank() < 2) {
                        throw new IllegalArgumentException(
                                "Muon is for matrices and kernels; leave "
                                        + key
                                        + value.shape()
                                        + " to AdamW");
                    }
                });
        state =
                State.of(
                        all ->
                                Gradient.forEach(
                                        groups,
                                        (key, value) ->
                                                all.add(
                                                        key + ".momentum",
                                                        Gradient.zerosLike(value))));
    }

    @Override
    public void step(double factor) {
        try (var mode = Mode.NO_GRAD.enter()) {
            for (ParameterGroup group : groups) {
                step(group, group.learningRate() * factor);
            }
        }
    }

    private void step(ParameterGroup group, double rate) {
        try (var all = TensorScope.open()) {
            for (Gradient each : Gradient.of(group)) {
                try (var scope = TensorScope.open()) {
                    Tensor momentum = state.get(each.key() + ".momentum");
                    momentum.lerpInPlace(each.gradient(), 1 - options.momentum());
                    Tensor update =
                            options.nesterov()
                                    ? each.gradient().lerp(momentum, options.momentum())
                                    : momentum;
                    Tensor matrix = update.reshape(update.size(0), -1); // [rows,columns]
                    double scale = options.scale().of(matrix.size(0), matrix.size(1));
                    Tensor value = each.value();
                    value.timesInPlace(1 - rate * group.weightDecay());
                    Tensor direction = orthogonalised(matrix).to(value.dtype());
                    value.plusInPlace(direction.reshape(value.shape().toArray()), -rate * scale);
                }
            }
        }
    }

    /** Approximates U·Vᵀ of a matrix U·S·Vᵀ. */
    private Tensor orthogonalised(Tensor matrix) {
        boolean tall = matrix.size(0) > matrix.size(1);
        Tensor x = matrix.to(options.iteration());
        x = tall ? x.transpose(0, 1) : x; // the smaller side first
        x = x.dividedBy(Aten.tensor("aten::clamp_min", x.norm(false, 0, 1), EPS));
        for (int i = 0; i < options.steps(); i++) {
            Tensor gram = x.matmul(x.transpose(0, 1));
            Tensor quadratic = Ops.addProduct(gram, gram, gram, B, C);
            x = Ops.addProduct(x, quadratic, x, A, 1);
        }
        return tall ? x.transpose(0, 1) : x;
    }

    @Override
    public void zeroGrad() {
        Gradient.clear(groups);
    }

    @Override
    public Map<String, Tensor> state() {
        return state.view();
    }

    @Override
    public void load(Map<String, Tensor> from) {
        state.load(from);
    }

    @Override
    public void close() {
        state.close();
    }
}
