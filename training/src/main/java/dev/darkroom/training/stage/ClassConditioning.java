package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** Classes, numbered in the order of their names. */
final class ClassConditioning implements Conditioning {
    private final TrainingInput.Classes input;
    private final List<String> names;
    private final int[] classes;
    private final int count;
    private final Device device;

    /**
     * Numbers the classes.
     *
     * @param network its config, which may say that there are more classes than the data has
     * @param labels the class of each example
     * @throws IllegalArgumentException if the config says that there are fewer
     */
    ClassConditioning(
            TrainingInput.Classes input, ObjectNode network, List<String> labels, Device device) {
        this.input = input;
        this.device = device;
        names = List.copyOf(new TreeSet<>(labels));
        classes = labels.stream().mapToInt(names::indexOf).toArray();
        count = network.path(input.countKey()).asInt(names.size());
        if (count < names.size()) {
            throw new IllegalArgumentException(
                    "the data has "
                            + names.size()
                            + " classes, the network "
                            + input.countKey()
                            + " "
                            + count);
        }
    }

    @Override
    public int size() {
        return count;
    }

    @Override
    public Condition batch(int[] examples, boolean[] dropped) {
        var numbers = new long[examples.length];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = dropped[i] ? count : classes[examples[i]];
        }
        return input.condition()
                .apply(Tensor.copyOf(numbers, numbers.length).to(device)); // int64 [N]
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of();
    }

    @Override
    public void write(CheckpointWriter writer, DType dtype) {
        var labels = new LinkedHashMap<String, String>();
        for (int i = 0; i < names.size(); i++) {
            labels.put(String.valueOf(i), names.get(i));
        }
        writer.labels(labels);
    }

    @Override
    public void close() {}
}
