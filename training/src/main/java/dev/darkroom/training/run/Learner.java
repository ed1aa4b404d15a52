package dev.darkroom.training.run;

import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Optimizer;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * What changes in training: weights, the optimizer that changes them, and their moving average.
 * Closing it frees optimizer, average and checkpoints, not the weights.
 */
public final class Learner implements AutoCloseable {
    private final Map<String, Parameter> weights;
    private final Optimizer optimizer;
    private final @Nullable Ema average;
    private final @Nullable Checkpointing checkpoints;

    /**
     * Brings them together.
     *
     * @param weights by the names that checkpoints give them, such as {@code transformer.…}
     * @param optimizer of these weights or of their masters
     * @param average of the weights or of their masters, by the same names; null for none
     */
    public Learner(Map<String, Parameter> weights, Optimizer optimizer, @Nullable Ema average) {
        this(weights, optimizer, average, null);
    }

    /**
     * Brings them together, with gradient checkpointing.
     *
     * @param checkpoints what the trained networks run their {@linkplain
     *     Module#segments(dev.darkroom.runtime.nn.Segments) blocks} through; taken over; null for
     *     none
     */
    public Learner(
            Map<String, Parameter> weights,
            Optimizer optimizer,
            @Nullable Ema average,
            @Nullable Checkpointing checkpoints) {
        this.weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
        this.optimizer = optimizer;
        this.average = average;
        this.checkpoints = checkpoints;
    }

    /** Returns the weights by name. */
    public Map<String, Tensor> weights() {
        var values = new LinkedHashMap<String, Tensor>();
        weights.forEach((name, parameter) -> values.put(name, parameter.value()));
        return values;
    }

    /**
     * Overwrites the weights.
     *
     * @throws IllegalArgumentException if one is missing, unexpected or has another shape
     */
    void load(Map<String, Tensor> from) {
        var names = new TreeSet<>(from.keySet());
        names.addAll(weights.keySet());
        for (String name : names) {
            Tensor value = from.get(name);
            Parameter weight = weights.get(name);
            if (value == null || weight == null || !value.shape().equals(weight.shape())) {
                throw new IllegalArgumentException(
                        "the weight "
                                + name
                                + " is "
                                + (weight == null ? "unknown" : weight.shape())
                                + " here and "
                                + (value == null ? "missing" : value.shape())
                                + " in the checkpoint");
            }
        }
        try (var mode = Mode.NO_GRAD.enter()) {
            from.forEach((name, value) -> weight(name).copyInPlace(value));
        }
    }

    Optimizer optimizer() {
        return optimizer;
    }

    @Nullable Ema average() {
        return average;
    }

    /** Returns what the optimizer reads gradients from. */
    Map<String, Parameter> optimised() {
        return optimizer instanceof MasterWeights masters ? masters.masters() : weights;
    }

    /** Adds a part's gradients to those of the parts before. */
    void backward(Tensor loss) {
        if (checkpoints == null) {
            loss.backward();
        } else {
            checkpoints.backward(loss);
        }
        if (optimizer instanceof MasterWeights masters) {
            masters.collect();
        }
    }

    /** Forgets what was computed for a loss that no backward pass follows. */
    void discard() {
        if (checkpoints != null) {
            checkpoints.close();
        }
    }

    /** What is done with the average in the weights' place. */
    @FunctionalInterface
    public interface Action {
        /** Does it. */
        void run() throws IOException;
    }

    /**
     * Puts the average, if there is one, into the weights for the time of an action, and the
     * weights back after it, bit for bit.
     */
    public void withAverage(Action action) throws IOException {
        if (average == null) {
            action.run();
            return;
        }
        var kept = new LinkedHashMap<String, Tensor>();
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            average.state()
                    .forEach(
                            (name, value) -> {
                                kept.put(name, weight(name).copy());
                                weight(name).copyInPlace(value);
                            });
            try {
                action.run();
            } finally {
                kept.forEach((name, value) -> weight(name).copyInPlace(value));
            }
        }
    }

    /**
     * Copies the average into another network, such as one that sets targets.
     *
     * @param prefix which the weights' names begin with and the network's don't
     * @throws IllegalStateException if there is no average
     */
    public void copyAverage(String prefix, Module into) {
        if (average == null) {
            throw new IllegalStateException("there is no average to copy");
        }
        average.copyTo(into, prefix);
    }

    private Tensor weight(String name) {
        return Objects.requireNonNull(weights.get(name), name).value();
    }

    @Override
    public void close() {
        try (average;
                optimizer) {
            discard();
        }
    }
}
