package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a network is conditioned on: tensors by name, such as a text's states and their mask, a
 * class, a size. The names are those that a family's conditioner and network agree on. Immutable;
 * the tensors stay their scope's.
 *
 * @param tensors each with a row for every sample {@code [N,…]}
 */
public record Condition(Map<String, Tensor> tensors) {
    /** The weight w of the guidance that a distilled network takes as an input {@code [N]}. */
    public static final String DISTILLED_GUIDANCE = "distilledGuidance";

    /** What a network sees beside the noisy latents, such as a mask {@code [N,C,h,w]}. */
    public static final String SHOWN = "shown";

    /** Which rows ControlNets act on that do not act on all: 1 or 0, float32 {@code [N]}. */
    public static final String CONTROLLED = "controlled";

    /** Of a network without conditions. */
    public static final Condition NONE = new Condition(Map.of());

    /**
     * Checks the tensors.
     *
     * @throws IllegalArgumentException if they have not the same number of rows
     */
    public Condition {
        if (tensors.values().stream().mapToLong(tensor -> tensor.size(0)).distinct().count() > 1) {
            throw new IllegalArgumentException(
                    "a condition needs tensors with the same number of rows, not " + tensors);
        }
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    }

    /** A condition of one tensor. */
    public static Condition of(String name, Tensor tensor) {
        return new Condition(Map.of(name, tensor));
    }

    /** This with another tensor, in place of one of the same name; the same for null. */
    public Condition with(String name, @Nullable Tensor tensor) {
        if (tensor == null) {
            return this;
        }
        var more = new LinkedHashMap<>(tensors);
        more.put(name, tensor);
        return new Condition(more);
    }

    /**
     * A tensor.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public Tensor get(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException(
                    "the condition has no " + name + ", only " + tensors.keySet());
        }
        return tensor;
    }

    /** A tensor, or null. */
    public @Nullable Tensor find(String name) {
        return tensors.get(name);
    }

    /** The number of rows; 1 if there are no tensors, which every sample then shares. */
    public long rows() {
        return tensors.isEmpty() ? 1 : tensors.values().iterator().next().size(0);
    }

    /** Each row several times, one after another. */
    public Condition repeated(long times) {
        if (times == 1) {
            return this;
        }
        var repeated = new LinkedHashMap<String, Tensor>();
        tensors.forEach((name, tensor) -> repeated.put(name, tensor.repeatInterleave(times, 0)));
        return new Condition(repeated);
    }

    /**
     * The rows of several conditions, one condition after another.
     *
     * @throws IllegalArgumentException if they have not the same names
     */
    public static Condition together(List<Condition> conditions) {
        Condition first = conditions.getFirst();
        if (conditions.size() == 1) {
            return first;
        }
        for (Condition each : conditions) {
            if (!each.tensors.keySet().equals(first.tensors.keySet())) {
                throw new IllegalArgumentException(
                        "conditions of one batch must have the same tensors, not "
                                + first.tensors.keySet()
                                + " and "
                                + each.tensors.keySet());
            }
        }
        var all = new LinkedHashMap<String, Tensor>();
        for (String name : first.tensors.keySet()) {
            all.put(name, Ops.cat(0, conditions.stream().map(each -> each.get(name)).toList()));
        }
        return new Condition(all);
    }
}
