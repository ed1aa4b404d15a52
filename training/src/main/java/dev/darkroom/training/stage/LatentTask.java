package dev.darkroom.training.stage;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.training.run.Learner;
import dev.darkroom.training.run.Task;

import java.io.IOException;
import java.nio.file.Path;

/** A network, or adapters in it, that learns from latents and becomes a part of a checkpoint. */
abstract class LatentTask implements Task {
    final LatentData data;
    final Conditioning conditioning;
    final DiffusionNetwork network;
    final Learner learner;
    private final ResultCheckpoint result;

    /**
     * @param network is trained
     * @param learner taken over
     */
    LatentTask(
            LatentData data,
            Conditioning conditioning,
            DiffusionNetwork network,
            Learner learner,
            ResultCheckpoint result) {
        this.data = data;
        this.conditioning = conditioning;
        this.network = network;
        this.learner = learner;
        this.result = result;
    }

    /**
     * Returns a condition for networks that may take the guidance as an input: w = 0 for each
     * sample.
     */
    static Condition unguided(Condition condition, Tensor clean) {
        return condition.with(
                Condition.DISTILLED_GUIDANCE,
                Tensor.zeros(clean.dtype(), clean.size(0)).to(clean.device()));
    }

    @Override
    public final Learner learner() {
        return learner;
    }

    @Override
    public final long samples(long steps) {
        return data.samples(steps);
    }

    @Override
    public final void start(long step) {}

    @Override
    public final void show(long step, Path folder) throws IOException {
        learner.withAverage(() -> result.show(step, folder, network));
    }

    @Override
    public final void finish(Path folder) throws IOException {
        learner.withAverage(() -> result.finish(folder, network));
    }

    @Override
    public void close() {
        learner.close();
    }
}
