package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The exponential moving average of parameters, in float32 (Polyak and Juditsky 1992; in diffusion
 * since Ho et al., arXiv 2006.11239). Its decay rises with the steps, as in diffusers' {@code
 * EMAModel} with warm-up, so that the average does not remember the start.
 */
public final class Ema implements AutoCloseable {
    private final Map<String, Parameter> parameters;
    private final Options options;
    private final State state;

    /**
     * The decay of the average.
     *
     * @param decay the largest factor of the average in a step
     * @param power of the warm-up: at step t the decay is at most 1 − (1 + t)^−power; 2/3 for runs
     *     of a million steps, 3/4 for shorter ones, {@link Double#POSITIVE_INFINITY} for no ramp
     */
    public record Options(double decay, double power) {
        /** A decay of 0.9999, with a power of 3/4. */
        public static final Options DEFAULTS = new Options(0.9999, 0.75);

        public Options {
            if (!(decay >= 0 && decay <= 1) || !(power > 0)) {
                throw new IllegalArgumentException(
                        "an average's decay lies in [0, 1] and its power above 0, not "
                                + decay
                                + " and "
                                + power);
            }
        }

        /** Returns the decay at a step, from 0. */
        public double at(long step) {
            return power == Double.POSITIVE_INFINITY
                    ? decay
                    : Math.min(decay, 1 - Math.pow(1.0 + step, -power));
        }
    }

    /** Makes the average of a module's trainable parameters, which begins as they are. */
    public Ema(Module module, Options options) {
        this(module.trainable(), options);
    }

    /**
     * Makes the average of parameters, such as {@link MasterWeights#masters}.
     *
     * @param parameters by name
     */
    public Ema(Map<String, Parameter> parameters, Options options) {
        this.parameters = new LinkedHashMap<>(parameters);
        this.options = Objects.requireNonNull(options, "options");
        state =
                State.of(
                        all ->
                                parameters.forEach(
                                        (key, parameter) -> all.add(key, wide(parameter).copy())));
    }

    private static Tensor wide(Parameter parameter) {
        Tensor value = parameter.value().detach();
        return value.dtype() == DType.FLOAT64 ? value : value.to(DType.FLOAT32);
    }

    /**
     * Updates the average with the parameters as they are after a step.
     *
     * @param step from 0
     */
    public void update(long step) {
        double weight = 1 - options.at(step);
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            parameters.forEach(
                    (key, parameter) -> state.get(key).lerpInPlace(wide(parameter), weight));
        }
    }

    /** Returns the averages by name, which stay the average's own. */
    public Map<String, Tensor> state() {
        return state.view();
    }

    /**
     * Copies the values of averages that {@link #state} gave.
     *
     * @throws IllegalArgumentException if a tensor is missing, unexpected or has another shape
     */
    public void load(Map<String, Tensor> from) {
        state.load(from);
    }

    /**
     * Overwrites a module's parameters of the same names with the averages.
     *
     * @throws IllegalArgumentException if it has not all of them
     */
    public void copyTo(Module module) {
        copyTo(module, "");
    }

    /**
     * Overwrites a module's parameters with averages of longer names.
     *
     * @param prefix what the averages' names begin with and the module's don't
     * @throws IllegalArgumentException if it has not all of them
     */
    public void copyTo(Module module, String prefix) {
        Map<String, Parameter> all = module.parameters();
        Map<String, Parameter> into = new LinkedHashMap<>();
        for (String key : state.view().keySet()) {
            Parameter parameter =
                    key.startsWith(prefix) ? all.get(key.substring(prefix.length())) : null;
            if (parameter == null) {
                throw new IllegalArgumentException("the module has no " + key + " to average into");
            }
            into.put(key, parameter);
        }
        try (var mode = Mode.NO_GRAD.enter()) {
            into.forEach((key, parameter) -> parameter.value().copyInPlace(state.get(key)));
        }
    }

    @Override
    public void close() {
        state.close();
    }
}
