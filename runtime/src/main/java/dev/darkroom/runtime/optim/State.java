package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/** Named tensors that outlive every scope. */
final class State implements AutoCloseable {
    private volatile Map<String, Tensor> tensors = new LinkedHashMap<>();

    /** Made beforehand, so that closing allocates nothing: Java's heap may be full then. */
    private final Collection<Tensor> values = tensors.values();

    private State() {}

    /** Makes a state with what is {@linkplain #add added} to it; if that fails, nothing is left. */
    static State of(Consumer<State> fill) {
        var state = new State();
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            fill.accept(state);
            return state;
        } catch (RuntimeException | Error e) {
            state.close();
            throw e;
        }
    }

    /** Takes over a tensor. */
    Tensor add(String key, Tensor tensor) {
        if (tensors.containsKey(key)) {
            throw new IllegalArgumentException(
                    key + " is there twice: a parameter belongs to one group");
        }
        tensors.put(key, tensor);
        TensorScope.detach(tensor);
        return tensor;
    }

    /**
     * Returns the tensor of a key that was added.
     *
     * @throws IllegalStateException if the state is closed
     */
    Tensor get(String key) {
        Tensor tensor = tensors.get(key);
        if (tensor == null) {
            throw new IllegalStateException(key + " is gone: the state is closed");
        }
        return tensor;
    }

    /** Returns all tensors; none once the state is closed. */
    Map<String, Tensor> view() {
        return Collections.unmodifiableMap(tensors);
    }

    /** Refuses a state that is not of the same names and shapes. */
    static void check(Map<String, Tensor> tensors, Map<String, Tensor> from) {
        List<String> problems = new ArrayList<>();
        tensors.forEach(
                (key, tensor) -> {
                    Tensor other = from.get(key);
                    if (other == null) {
                        problems.add(key + " is missing");
                    } else if (!other.shape().equals(tensor.shape())) {
                        problems.add(key + " has " + other.shape() + ", not " + tensor.shape());
                    }
                });
        for (String key : from.keySet()) {
            if (!tensors.containsKey(key)) {
                problems.add(key + " is unexpected");
            }
        }
        if (!problems.isEmpty()) {
            throw new IllegalArgumentException(
                    "the state does not belong to these parameters: "
                            + String.join("; ", problems.subList(0, Math.min(8, problems.size())))
                            + (problems.size() > 8
                                    ? "; and " + (problems.size() - 8) + " more"
                                    : ""));
        }
    }

    /** Copies values in, all or none. */
    void load(Map<String, Tensor> from) {
        Map<String, Tensor> own = tensors;
        check(own, from);
        try (var mode = Mode.NO_GRAD.enter()) {
            own.forEach((key, tensor) -> tensor.copyInPlace(Objects.requireNonNull(from.get(key))));
        }
    }

    /** Closes the tensors; those that a call on another thread is using when that returns. */
    @Override
    public void close() {
        tensors = Map.of();
        values.forEach(TensorScope::release);
    }
}
