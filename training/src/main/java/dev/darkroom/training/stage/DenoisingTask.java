package dev.darkroom.training.stage;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.training.objective.ConditionDropout;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.run.Learner;

/** A network, or adapters in it, that learns to denoise latents. */
final class DenoisingTask extends LatentTask {
    private final Objective objective;
    private final ConditionDropout dropout;

    /**
     * @param learner taken over
     * @param dropout the share of samples that lose their condition
     */
    DenoisingTask(
            LatentData data,
            Conditioning conditioning,
            DiffusionNetwork network,
            Learner learner,
            Objective objective,
            double dropout,
            ResultCheckpoint result) {
        super(data, conditioning, network, learner, result);
        this.objective = objective;
        this.dropout = new ConditionDropout(dropout);
    }

    @Override
    public Tensor loss(long step, int part, Generator noise) {
        int[] rows = data.rows(step, part);
        Tensor clean = data.latents(rows, noise).to(network.dtype()); // [N,C,H,W]
        boolean[] dropped = dropout.draw(rows.length, noise).toBooleanArray();
        Condition condition =
                unguided(conditioning.batch(data.examples(rows), dropped), clean); // a row each
        return objective.loss(network.bind(condition), clean, noise);
    }
}
