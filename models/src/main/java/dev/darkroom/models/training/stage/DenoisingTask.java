package dev.darkroom.models.training.stage;

import dev.darkroom.models.training.objective.ConditionDropout;
import dev.darkroom.models.training.objective.GuidedNetwork;
import dev.darkroom.models.training.objective.Objective;
import dev.darkroom.models.training.run.Learner;
import dev.darkroom.models.training.run.Task;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import java.io.IOException;
import java.nio.file.Path;

/** A network, or adapters in it, that learns to denoise latents. */
final class DenoisingTask implements Task {
    private final LatentData data;
    private final Conditioning conditioning;
    private final Module network;
    private final Learner learner;
    private final Objective objective;
    private final ConditionDropout dropout;
    private final Output output;

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
        this.data = data;
        this.conditioning = conditioning;
        this.network = network;
        this.learner = learner;
        this.objective = objective;
        this.dropout = new ConditionDropout(dropout);
        this.output = output;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public long samples(long steps) {
        return data.samples(steps);
    }

    @Override
    public void start(long step) {}

    @Override
    public Tensor loss(long step, int part, Generator noise) {
        int[] rows = data.rows(step, part);
        Tensor clean = data.latents(rows, noise).to(network.dtype()); // [N,C,H,W]
        boolean[] dropped = dropout.draw(rows.length, noise).toBooleanArray();
        GuidedNetwork bound = conditioning.batch(data.examples(rows), dropped).bind(network);
        Tensor unguided = Tensor.zeros(clean.dtype(), rows.length).to(clean.device());
        return objective.loss((x, t) -> bound.predict(x, t, unguided), clean, noise);
    }

    @Override
    public void show(long step, Path folder) throws IOException {
        learner.withAverage(() -> output.show(step, folder, network));
    }

    @Override
    public void finish(Path folder) throws IOException {
        learner.withAverage(() -> output.finish(folder, network));
    }

    @Override
    public void close() {
        learner.close();
    }
}
