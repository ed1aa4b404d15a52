package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Thousands of training steps in a process of its own, for {@link FlatTrainingTest}: bfloat16
 * weights with masters, Muon and AdamW, an average.
 */
final class FlatTraining {
    static final int WARM_UP = 500;
    static final int STEPS = 5_000;

    private static final Attention.Keys KEYS =
            new Attention.Keys("q", "k", "v", "out", "norm_q", "norm_k");

    private FlatTraining() {}

    /** Prints live tensors and resident KiB after the warm-up and at the end, then what is left. */
    public static void main(String[] args) throws IOException {
        Threads.set(1); // on a busy machine, two that wait for each other are much slower
        try (var generator = new Generator(1);
                var network =
                        Weights.random(
                                2,
                                DType.BFLOAT16,
                                Device.CPU,
                                w -> new Attention(w, Attention.Sizes.self(16, 2, true), KEYS));
                var optimizer =
                        new MasterWeights(
                                ParameterGroups.of(network).decayed(1e-3, 0.01),
                                FlatTraining::optimizer);
                var average = new Ema(optimizer.masters(), Ema.Options.DEFAULTS)) {
            network.train();
            for (int step = 1; step <= STEPS; step++) {
                step(network, optimizer, generator);
                average.update(step);
                if (step == WARM_UP || step == STEPS) {
                    System.out.println(Memory.liveTensors());
                    System.out.println(residentKib());
                }
            }
        }
        System.out.println(Memory.liveTensors());
    }

    private static Optimizer optimizer(List<ParameterGroup> masters) {
        return Optimizers.together(
                List.of(
                        new Muon(masters.subList(0, 1), Muon.Options.DEFAULTS),
                        new AdamW(masters.subList(1, 2), AdamW.Options.DEFAULTS)));
    }

    private static void step(Attention network, MasterWeights optimizer, Generator generator) {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            Tensor x = Tensor.randn(generator, 2, 6, 16).to(DType.BFLOAT16);
            optimizer.zeroGrad();
            network.forward(x).minus(x).square().mean().backward();
            optimizer.collect();
            GradientNorm.clip(optimizer.masters().values(), 1);
            optimizer.step(1);
        }
    }

    private static long residentKib() throws IOException {
        String status = Files.readString(Path.of("/proc/self/status"));
        return status.lines()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }
}
