package dev.darkroom.models.plan;

import dev.darkroom.models.family.Size;

import java.util.List;

/**
 * What making pictures takes.
 *
 * @param variant the options
 * @param size of the pictures
 * @param sampled size that is sampled
 * @param batch how many pictures are made
 * @param steps sampling steps
 * @param evaluations of the network; some samplers take several in a step
 * @param guidanceScale weight of the guidance
 * @param stages in their order
 */
public record Run(
        Variant variant,
        Size size,
        Size sampled,
        int batch,
        int steps,
        int evaluations,
        double guidanceScale,
        List<Stage> stages) {
    /** Keeps the list as it is now. */
    public Run {
        stages = List.copyOf(stages);
    }

    /** The most memory that the whole process is estimated to need. */
    public long neededBytes() {
        return stages.stream().mapToLong(Stage::neededBytes).max().orElse(0);
    }

    /** The most memory that the whole process is estimated to hold, with files that are read. */
    public long peakBytes() {
        return stages.stream().mapToLong(Stage::peakBytes).max().orElse(0);
    }

    /** The seconds that the whole is estimated to take, without loading. */
    public double seconds() {
        return stages.stream().mapToDouble(Stage::seconds).sum();
    }

    /** The seconds that a step is estimated to take. */
    public double secondsPerStep() {
        return stages.stream()
                        .filter(stage -> stage.kind() == Stage.Kind.DENOISE)
                        .mapToDouble(Stage::seconds)
                        .sum()
                / steps;
    }
}
