package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2), on
 * libtorch's fused kernel: the numbers of {@code torch.optim.AdamW(fused=True)}.
 *
 * <p>State of a parameter: {@code KEY.step []} (float32), {@code KEY.exp_avg} and {@code
 * KEY.exp_avg_sq} in its own shape and type. A bfloat16 parameter loses most small steps to
 * rounding: use {@link MasterWeights}.
 */
public final class AdamW implements Optimizer {
    private final List<ParameterGroup> groups;
    private final Options options;
    private final State state;

    /**
     * The options that all groups share.
     *
     * @param beta1 decay of the first moment, the mean of the gradients
     * @param beta2 decay of the second moment, the mean of the squared gradients
     * @param eps added to the denominator
     */
    public record Options(double beta1, double beta2, double eps) {
        /** PyTorch's: 0.9, 0.999, 1e-8. */
        public static final Options DEFAULTS = new Options(0.9, 0.999, 1e-8);

        public Options {
            if (!(beta1 >= 0 && beta1 < 1) || !(beta2 >= 0 && beta2 < 1) || !(eps > 0)) {
                throw new IllegalArgumentException(
                        "AdamW: betas lie in [0, 1) and eps above 0, not "
                                + beta1
                                + ", "
                                + beta2
                                + " and "
                                + eps);
            }
        }
    }

    /** Makes an optimizer whose moments are zero. */
    public AdamW(List<ParameterGroup> groups, Options options) {
        this.groups = List.copyOf(groups);
        this.options = Objects.requireNonNull(options, "options");
        state =
                State.of(
                        all ->
                                Gradient.forEach(
                                        groups,
                                        (key, value) -> {
                                            all.add(
                                                    key + ".step",
                                                    Tensor.zeros(
                                                            Shape.SCALAR,
                                                            DType.FLOAT32,
                                                            Device.CPU));
                                            all.add(key + ".exp_avg", Gradient.zerosLike(value));
                                            all.add(key + ".exp_avg_sq", Gradient.zerosLike(value));
                                        }));
    }

    @Override
    public void step(double factor) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            for (ParameterGroup group : groups) {
                step(group, factor);
            }
        }
    }

    private void step(ParameterGroup group, double factor) {
        List<Tensor> values = new ArrayList<>();
        List<Tensor> gradients = new ArrayList<>();
        List<Tensor> firstMoments = new ArrayList<>();
        List<Tensor> secondMoments = new ArrayList<>();
        List<Tensor> steps = new ArrayList<>();
        for (Gradient each : Gradient.of(group)) {
            values.add(each.value());
            gradients.add(each.gradient());
            firstMoments.add(state.get(each.key() + ".exp_avg"));
            secondMoments.add(state.get(each.key() + ".exp_avg_sq"));
            steps.add(state.get(each.key() + ".step"));
        }
        if (values.isEmpty()) {
            return;
        }
        Aten.call("aten::_foreach_add_.Scalar", steps, 1);
        Aten.call(
                "aten::_fused_adamw_",
                values,
                gradients,
                firstMoments,
                secondMoments,
                List.of(), // the largest second moments, of AMSGrad
                steps,
                group.learningRate() * factor,
                options.beta1(),
                options.beta2(),
                group.weightDecay(),
                options.eps(),
                false, // AMSGrad
                false); // maximize
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
