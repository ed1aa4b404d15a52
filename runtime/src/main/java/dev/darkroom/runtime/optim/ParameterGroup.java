package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Parameters that are optimised alike.
 *
 * @param name for messages
 * @param parameters by the names that their state gets; never buffers
 * @param learningRate before the factor of a {@link LearningRate}
 * @param weightDecay the share of itself, times the learning rate, that a weight loses in a step; 0
 *     for none
 */
public record ParameterGroup(
        String name, Map<String, Parameter> parameters, double learningRate, double weightDecay) {
    public ParameterGroup {
        Objects.requireNonNull(name, "name");
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        if (!(learningRate >= 0 && learningRate < Double.POSITIVE_INFINITY)
                || !(weightDecay >= 0 && weightDecay < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "group "
                            + name
                            + ": learning rate and weight decay are finite and from 0, not "
                            + learningRate
                            + " and "
                            + weightDecay);
        }
        parameters.forEach(
                (key, parameter) -> {
                    if (parameter.isBuffer()) {
                        throw new IllegalArgumentException(
                                "group "
                                        + name
                                        + ": "
                                        + key
                                        + " is a buffer, which is not trained");
                    }
                });
    }

    /** Makes a group of all parameters of a module that are not frozen. */
    public static ParameterGroup of(Module module, double learningRate, double weightDecay) {
        return new ParameterGroup("all", module.trainable(), learningRate, weightDecay);
    }
}
