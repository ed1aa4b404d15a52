package dev.darkroom.models.pipeline;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.dit.Dit;
import dev.darkroom.models.family.pixart.PixArt;
import dev.darkroom.models.family.pixel.PixelDiffusion;
import dev.darkroom.models.family.sd.StableDiffusion;
import dev.darkroom.models.family.sd.StableDiffusionUpscaler;
import dev.darkroom.models.family.sd.StableDiffusionXl;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Which families there are. */
public final class Families {
    /** Those that Darkroom comes with. */
    public static final Families BUILT_IN =
            new Families(
                    List.of(
                            new PixArt(),
                            new Dit(),
                            new StableDiffusion(),
                            new StableDiffusionXl(),
                            new StableDiffusionUpscaler(),
                            new PixelDiffusion()));

    private final List<Family> all;
    private final Map<String, Family> byPipeline = new TreeMap<>();

    /** Families of which each reads other pipelines. */
    public Families(List<Family> all) {
        this.all = List.copyOf(all);
        for (Family family : all) {
            family.pipelines().forEach(name -> byPipeline.put(name, family));
        }
    }

    /** All families. */
    public List<Family> all() {
        return all;
    }

    /**
     * The family of a checkpoint.
     *
     * @param pipeline the class in {@code model_index.json}; empty if it names none
     * @throws IllegalArgumentException if there is none
     */
    public Family of(String pipeline) {
        return find(pipeline)
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        Checkpoint.INDEX
                                                + " asks for "
                                                + (pipeline.isEmpty()
                                                        ? "no pipeline"
                                                        : "the pipeline " + pipeline)
                                                + "; supported are "
                                                + String.join(", ", byPipeline.keySet())));
    }

    /** The family of the class in {@code model_index.json}; empty if there is none. */
    public Optional<Family> find(String pipeline) {
        return Optional.ofNullable(byPipeline.get(pipeline));
    }

    /** The first family that reads a single file; empty if none does. */
    public Optional<Family> find(SafetensorsHeader file) {
        return all.stream().filter(family -> family.reads(file)).findFirst();
    }
}
