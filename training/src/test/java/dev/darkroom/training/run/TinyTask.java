package dev.darkroom.training.run;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Muon;
import dev.darkroom.runtime.optim.Optimizers;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.optim.ParameterGroups;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Learns to add up noisy numbers: bfloat16 weights with masters, Muon and AdamW, an average. */
class TinyTask implements Task {
    static final int SAMPLES = 4;

    /** Two layers. */
    static final class Network extends Module {
        private final Linear up;
        private final Linear down;

        Network(Weights w) {
            super(w);
            up = new Linear(w.sub("up"), 8, 16, true);
            down = new Linear(w.sub("down"), 16, 1, true);
        }

        Tensor forward(Tensor x) {
            return down.forward(up.forward(x).silu());
        }
    }

    final Network network;
    private final Learner learner;
    long started = -1;
    int shown;

    TinyTask(DType dtype) {
        network = Weights.random(3, dtype, Device.CPU, Network::new);
        network.train();
        var groups = ParameterGroups.of(network);
        var masters =
                new MasterWeights(
                        List.of(
                                new ParameterGroup("matrices", groups.matrices(), 0.02, 0),
                                new ParameterGroup("others", groups.others(), 0.01, 0)),
                        own ->
                                Optimizers.together(
                                        List.of(
                                                new Muon(own.subList(0, 1), Muon.Options.DEFAULTS),
                                                new AdamW(
                                                        own.subList(1, 2),
                                                        AdamW.Options.DEFAULTS))));
        var average = new Ema(masters.masters(), new Ema.Options(0.9, 0.75));
        learner = new Learner(network.trainable(), masters, average);
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public long samples(long steps) {
        return SAMPLES * steps;
    }

    @Override
    public void start(long step) {
        started = step;
    }

    @Override
    public Tensor loss(long step, int part, Generator noise) {
        Tensor x = Tensor.randn(noise, SAMPLES, 8).to(network.dtype());
        Tensor sum = x.sum(true, 1);
        return Ops.meanSquaredError(
                network.forward(x).to(DType.FLOAT32), sum.to(DType.FLOAT32)); // []
    }

    @Override
    public void show(long step, Path folder) {
        shown++;
    }

    @Override
    public void finish(Path folder) throws IOException {
        network.save(folder.resolve("result.safetensors"));
        learner.withAverage(() -> network.save(folder.resolve("average.safetensors")));
        Files.writeString(folder.resolve("finished"), "");
    }

    @Override
    public void close() {
        learner.close();
        network.close();
    }
}
