package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Parameter;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * Optimises float32 masters of working weights in a narrower type (Micikevicius et al., arXiv
 * 1710.03740, section 3.1): gradients are cast up, the step is taken on the masters, and the result
 * is rounded into the working weights. Parameters that are float32 are their own masters.
 *
 * <pre>{@code
 * network.to(DType.BFLOAT16);
 * var optimizer = new MasterWeights(groups, masters -> new AdamW(masters, AdamW.Options.DEFAULTS));
 * for (Batch part : parts) {                       // accumulation, in float32
 *     loss(network, part).dividedBy(parts.size()).backward();
 *     optimizer.collect();
 * }
 * GradientNorm.clip(optimizer.masters().values(), 1.0);
 * optimizer.step(factor);
 * }</pre>
 *
 * <p>State: that of the inner optimizer, and {@code KEY.master} of each parameter that has one.
 */
public final class MasterWeights implements Optimizer {
    private final Map<String, Parameter> working = new LinkedHashMap<>();
    private final Map<String, Parameter> masters = new LinkedHashMap<>();
    private final State state;
    private final Optimizer inner;

    /**
     * Copies the weights into masters.
     *
     * @param groups of working weights
     * @param optimizer makes the optimizer of the masters, from the same groups of those
     */
    public MasterWeights(
            List<ParameterGroup> groups, Function<List<ParameterGroup>, Optimizer> optimizer) {
        List<ParameterGroup> ofMasters = new ArrayList<>();
        state =
                State.of(
                        all -> {
                            for (ParameterGroup group : groups) {
                                ofMasters.add(masters(all, group));
                            }
                        });
        try {
            inner = Objects.requireNonNull(optimizer.apply(ofMasters), "no optimizer");
        } catch (RuntimeException | Error e) {
            closeMasters();
            throw e;
        }
    }

    private ParameterGroup masters(State all, ParameterGroup group) {
        var own = new LinkedHashMap<String, Parameter>();
        group.parameters().forEach((key, parameter) -> own.put(key, master(all, key, parameter)));
        masters.putAll(own);
        return new ParameterGroup(group.name(), own, group.learningRate(), group.weightDecay());
    }

    private Parameter master(State all, String key, Parameter parameter) {
        if (parameter.value().dtype() == DType.FLOAT32) {
            return parameter;
        }
        Tensor value = parameter.value().detach().to(DType.FLOAT32).requiresGrad(true);
        all.add(key + ".master", value);
        working.put(key, parameter);
        return Parameter.of(key, value);
    }

    /**
     * Returns the float32 parameters by name, whose gradients are to be clipped after {@link
     * #collect}.
     */
    public Map<String, Parameter> masters() {
        return Collections.unmodifiableMap(masters);
    }

    /**
     * Moves the gradients of the working weights to their masters, adding to what is there. Called
     * after each backward pass, gradients accumulate in float32; {@link #step} calls it too.
     */
    public void collect() {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            working.forEach(
                    (key, parameter) -> {
                        Tensor gradient = parameter.value().grad();
                        if (gradient != null) {
                            add(gradient.to(DType.FLOAT32), state.get(key + ".master"));
                            parameter.value().setGrad(null);
                        }
                    });
        }
    }

    private static void add(Tensor gradient, Tensor master) {
        Tensor before = master.grad();
        if (before == null) {
            master.setGrad(gradient);
        } else {
            before.plusInPlace(gradient);
        }
    }

    @Override
    public void step(double factor) {
        collect();
        inner.step(factor);
        copyDown();
    }

    private void copyDown() {
        try (var mode = Mode.NO_GRAD.enter()) {
            working.forEach(
                    (key, parameter) -> parameter.value().copyInPlace(state.get(key + ".master")));
        }
    }

    @Override
    public void zeroGrad() {
        inner.zeroGrad();
        working.values().forEach(parameter -> parameter.value().setGrad(null));
    }

    @Override
    public Map<String, Tensor> state() {
        var all = new LinkedHashMap<>(state.view());
        all.putAll(inner.state());
        return Collections.unmodifiableMap(all);
    }

    @Override
    public void load(Map<String, Tensor> from) {
        State.check(state(), from);
        var ofInner = new LinkedHashMap<>(from);
        ofInner.keySet().removeAll(state.view().keySet());
        inner.load(ofInner);
        var own = new LinkedHashMap<>(from);
        own.keySet().retainAll(state.view().keySet());
        state.load(own);
        copyDown();
    }

    @Override
    public void close() {
        try {
            inner.close();
        } finally {
            closeMasters();
        }
    }

    /** Closes the masters, whose values may be others than the state's by now, and the state. */
    private void closeMasters() {
        working.keySet().forEach(key -> Objects.requireNonNull(masters.get(key)).close());
        state.close();
    }
}
