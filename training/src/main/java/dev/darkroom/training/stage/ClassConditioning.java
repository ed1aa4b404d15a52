package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.dit.DitTransformer;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** DiT's classes, numbered in the order of their names. */
final class ClassConditioning implements Conditioning {
    static final String CLASS_NAME = "DiTTransformer2DModel";

    private final ObjectNode json;
    private final DitConfig config;
    private final List<String> names;
    private final int[] classes;
    private final Device device;

    /**
     * @param json the network's config, but for the number of classes
     * @param labels the class of each example
     */
    ClassConditioning(ObjectNode json, List<String> labels, Device device) {
        this.names = List.copyOf(new TreeSet<>(labels));
        this.json = json;
        if (!json.has("num_embeds_ada_norm")) {
            json.put("num_embeds_ada_norm", names.size());
        }
        config = ConfigReader.of(json.toString(), DitConfig::of);
        if (config.numEmbedsAdaNorm() < names.size()) {
            throw new IllegalArgumentException(
                    "the data has "
                            + names.size()
                            + " classes, the network num_embeds_ada_norm "
                            + config.numEmbedsAdaNorm());
        }
        classes = labels.stream().mapToInt(names::indexOf).toArray();
        this.device = device;
    }

    @Override
    public DiffusionNetwork network(Weights w) {
        return new DitTransformer(w, config);
    }

    @Override
    public Condition batch(int[] examples, boolean[] dropped) {
        var labels = new long[examples.length];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = dropped[i] ? config.nullClass() : classes[examples[i]];
        }
        return Condition.of(
                DitTransformer.LABELS, Tensor.copyOf(labels, labels.length).to(device)); // [N]
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of();
    }

    @Override
    public String pipelineClass() {
        return "DiTPipeline";
    }

    @Override
    public ObjectNode json() {
        return json;
    }

    @Override
    public void write(HubFolder hub, DType dtype) {
        var labels = new LinkedHashMap<String, String>();
        for (int i = 0; i < names.size(); i++) {
            labels.put(String.valueOf(i), names.get(i));
        }
        hub.labels(labels);
    }

    @Override
    public void close() {}
}
