package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The usual split of a module's trainable parameters: the matrices of linear layers and the kernels
 * of convolutions decay, and may go to {@link Muon}; biases, norms, embeddings and others don't,
 * and go to {@link AdamW}.
 *
 * @param matrices the first kind, by name
 * @param others the second kind, by name
 */
public record ParameterGroups(Map<String, Parameter> matrices, Map<String, Parameter> others) {
    public ParameterGroups {
        matrices = Collections.unmodifiableMap(new LinkedHashMap<>(matrices));
        others = Collections.unmodifiableMap(new LinkedHashMap<>(others));
    }

    /** Splits the parameters of a module that are not frozen. */
    public static ParameterGroups of(Module module) {
        var others = new LinkedHashMap<>(module.trainable());
        var matrices = new LinkedHashMap<>(module.matrices());
        matrices.keySet().retainAll(others.keySet());
        others.keySet().removeAll(matrices.keySet());
        return new ParameterGroups(matrices, others);
    }

    /** Makes a group of each kind with one learning rate; only matrices decay. */
    public List<ParameterGroup> decayed(double learningRate, double weightDecay) {
        return List.of(
                new ParameterGroup("matrices", matrices, learningRate, weightDecay),
                new ParameterGroup("others", others, learningRate, 0));
    }
}
