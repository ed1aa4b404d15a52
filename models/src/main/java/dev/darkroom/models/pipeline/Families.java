package dev.darkroom.models.pipeline;

import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.dit.Dit;
import dev.darkroom.models.family.pixart.PixArt;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** All families. */
final class Families {
    private static final List<Family> ALL = List.of(new PixArt(), new Dit());

    private static final Map<String, Family> BY_PIPELINE = new TreeMap<>();

    static {
        for (Family family : ALL) {
            family.pipelines().forEach(name -> BY_PIPELINE.put(name, family));
        }
    }

    private Families() {}

    /**
     * The family of a checkpoint.
     *
     * @param pipeline the class in {@code model_index.json}; empty if it names none
     * @throws IllegalArgumentException if there is none
     */
    static Family of(String pipeline) {
        Family family = BY_PIPELINE.get(pipeline);
        if (family == null) {
            throw new IllegalArgumentException(
                    "model_index.json asks for "
                            + (pipeline.isEmpty() ? "no pipeline" : "the pipeline " + pipeline)
                            + "; supported are "
                            + String.join(", ", BY_PIPELINE.keySet()));
        }
        return family;
    }
}
