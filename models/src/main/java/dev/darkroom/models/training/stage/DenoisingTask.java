package dev.darkroom.models.training.stage;

import dev.darkroom.models.training.objective.ConditionDropout;
import dev.darkroom.models.training.objective.GuidedNetwork;
import dev.darkroom.models.training.objective.Objective;
import dev.darkroom.models.training.run.Learner;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

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
            Module network,
            Learner learner,
            Objective objective,
            double dropout,
            Output output) {
        super(data, conditioning, network, learner, output);
        this.objective = objective;
        this.dropout = new ConditionDropout(dropout);
    }

    @Override
    public Tensor loss(long step, int part, Generator noise) {
        int[] rows = data.rows(step, part);
        Tensor clean = data.latents(rows, noise).to(network.dtype()); // [N,C,H,W]
        boolean[] dropped = dropout.draw(rows.length, noise).toBooleanArray();
        GuidedNetwork bound = conditioning.batch(data.examples(rows), dropped).bind(network);
        Tensor unguided = Tensor.zeros(clean.dtype(), rows.length).to(clean.device());
        return objective.loss((x, t) -> bound.predict(x, t, unguided), clean, noise);
    }
}
