package dev.darkroom.training.stage;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.training.objective.LatentConsistency;
import dev.darkroom.training.run.Learner;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;

/** A student that learns from a teacher, and from its own moving average. */
final class ConsistencyTask extends LatentTask {
    /**
     * Networks of one config.
     *
     * @param teacher stays as it is
     * @param student is trained
     * @param target holds the student's moving average
     * @param adapters null for three networks; else all three are one network, which is the teacher
     *     without its adapters and the student and its own target with them
     */
    record Networks(
            DiffusionNetwork teacher,
            DiffusionNetwork student,
            DiffusionNetwork target,
            @Nullable Lora adapters)
            implements AutoCloseable {
        /** Returns the teacher, as it is without adapters. */
        ConditionedNetwork unadapted() {
            return condition -> {
                try (var off = withoutAdapters()) {
                    Network bound = teacher.bind(condition);
                    return (x, timesteps) -> {
                        try (var offAgain = withoutAdapters()) {
                            return bound.predict(x, timesteps);
                        }
                    };
                }
            };
        }

        /** Frees all but the teacher. */
        @Override
        public void close() {
            if (adapters == null) {
                student.close();
                target.close();
            } else {
                adapters.close();
            }
        }

        private Lora.@Nullable Disabled withoutAdapters() {
            return adapters == null ? null : adapters.disabled();
        }
    }

    private final Networks networks;
    private final LatentConsistency objective;
    private final String prefix;

    /**
     * @param networks taken over, but for the teacher
     * @param learner taken over; its average is the target, where that is a network of its own
     * @param prefix that the names of the learner's parameters begin with, without the dot
     */
    ConsistencyTask(
            LatentData data,
            Conditioning conditioning,
            Networks networks,
            Learner learner,
            String prefix,
            LatentConsistency objective,
            ResultCheckpoint result) {
        super(data, conditioning, networks.student(), learner, result);
        this.networks = networks;
        this.prefix = prefix;
        this.objective = objective;
    }

    @Override
    public Tensor loss(long step, int part, Generator noise) {
        if (part == 0 && networks.adapters() == null) {
            learner.copyAverage(prefix + ".", networks.target());
        }
        int[] rows = data.rows(step, part);
        int[] examples = data.examples(rows);
        Tensor clean = data.latents(rows, noise).to(network.dtype()); // [N,C,H,W]
        var dropped = new boolean[rows.length];
        Condition captions = unguided(conditioning.batch(examples, dropped), clean);
        Arrays.fill(dropped, true);
        Condition none = unguided(conditioning.batch(examples, dropped), clean);
        var bound =
                new LatentConsistency.Networks(
                        network, networks.target(), networks.unadapted(), captions, none);
        return objective.loss(bound, clean, noise);
    }

    @Override
    public void close() {
        try (networks) {
            super.close();
        }
    }
}
