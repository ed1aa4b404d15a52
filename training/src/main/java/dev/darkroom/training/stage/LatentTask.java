package dev.darkroom.training.stage;

import dev.darkroom.runtime.nn.Module;
import dev.darkroom.training.run.Learner;
import dev.darkroom.training.run.Task;

import java.io.IOException;
import java.nio.file.Path;

/** A network, or adapters in it, that learns from latents and becomes a part of a checkpoint. */
abstract class LatentTask implements Task {
    final LatentData data;
    final Conditioning conditioning;
    final Module network;
    final Learner learner;
    private final Output output;

    /**
     * @param network is trained
     * @param learner taken over
     */
    LatentTask(
            LatentData data,
            Conditioning conditioning,
            Module network,
            Learner learner,
            Output output) {
        this.data = data;
        this.conditioning = conditioning;
        this.network = network;
        this.learner = learner;
        this.output = output;
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
        learner.withAverage(() -> output.show(step, folder, network));
    }

    @Override
    public final void finish(Path folder) throws IOException {
        learner.withAverage(() -> output.finish(folder, network));
    }

    @Override
    public void close() {
        learner.close();
    }
}
