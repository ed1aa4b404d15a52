package dev.darkroom.bench;

import com.sun.management.OperatingSystemMXBean;

import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtText;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.GradientNorm;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Muon;
import dev.darkroom.runtime.optim.Optimizer;
import dev.darkroom.runtime.optim.Optimizers;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.training.objective.AutoencoderLoss;
import dev.darkroom.training.objective.Diffusion;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;

/**
 * Training steps of a small PixArt or a small autoencoder, with random weights and data: loss,
 * backward, clipping, Muon for the matrices in blocks and AdamW for the rest, moving average. Below
 * float32 the optimizers have float32 masters.
 */
final class TrainingStep implements AutoCloseable {
    private static final int PHASES = 4;
    private static final Pattern IN_A_BLOCK = Pattern.compile(".*\\.\\d+\\..*");
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final Case network;
    private final Generator generator = new Generator(0);
    private final Optimizer optimizer;
    private final Map<String, Parameter> optimised;
    private final Ema average;
    private final double[] phases = new double[PHASES];
    private long step;

    /** A network and what it is trained to. */
    private interface Case {
        Module module();

        Tensor loss(Generator generator);
    }

    /**
     * A network with random weights.
     *
     * @param network {@code pixart} or {@code autoencoder}
     */
    TrainingStep(String network, DType dtype) {
        this.network = network.equals("pixart") ? new PixArt(dtype) : new Autoencoder(dtype);
        Module module = this.network.module();
        module.train();
        var inBlocks = new LinkedHashMap<>(module.matrices());
        inBlocks.keySet().removeIf(key -> !IN_A_BLOCK.matcher(key).matches());
        var others = new LinkedHashMap<>(module.trainable());
        others.keySet().removeAll(inBlocks.keySet());
        var groups =
                List.of(
                        new ParameterGroup("blocks", inBlocks, 1e-3, 0.01),
                        new ParameterGroup("others", others, 1e-3, 0));
        if (module.dtype() == DType.FLOAT32) {
            optimizer = optimizer(groups, DType.FLOAT32);
            optimised = module.trainable();
        } else {
            var masters = new MasterWeights(groups, own -> optimizer(own, module.dtype()));
            optimizer = masters;
            optimised = masters.masters();
        }
        average = new Ema(optimised, Ema.Options.DEFAULTS);
    }

    /**
     * @param iteration the type that Muon's products run in: the weights'
     */
    private static Optimizer optimizer(List<ParameterGroup> groups, DType iteration) {
        var muon = new Muon.Options(0.95, true, 5, Muon.Scale.MATCH_RMS_ADAMW, iteration);
        return Optimizers.together(
                List.of(
                        new Muon(groups.subList(0, 1), muon),
                        new AdamW(groups.subList(1, 2), AdamW.Options.DEFAULTS)));
    }

    /** What one step took on average: milliseconds, and the process's peak memory in MB. */
    double[] measure(int steps) throws IOException {
        Arrays.fill(phases, 0);
        long wall = System.nanoTime();
        long cpu = SYSTEM.getProcessCpuTime();
        for (int i = 0; i < steps; i++) {
            take();
        }
        wall = System.nanoTime() - wall;
        cpu = SYSTEM.getProcessCpuTime() - cpu;
        var times = DoubleStream.concat(DoubleStream.of(wall, cpu), Arrays.stream(phases));
        return DoubleStream.concat(times.map(each -> each / 1e6 / steps), DoubleStream.of(peak()))
                .toArray();
    }

    private void take() {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            long begin = System.nanoTime();
            Tensor loss = network.loss(generator);
            if (!Double.isFinite(loss.item())) {
                throw new IllegalStateException("the loss is " + loss.item());
            }
            begin = end(0, begin);
            loss.backward();
            begin = end(1, begin);
            if (optimizer instanceof MasterWeights masters) {
                masters.collect();
            }
            GradientNorm.clip(optimised.values(), 1);
            optimizer.step(1);
            optimizer.zeroGrad();
            begin = end(2, begin);
            average.update(step++);
            end(3, begin);
        }
    }

    private long end(int phase, long begin) {
        long now = System.nanoTime();
        phases[phase] += now - begin;
        return now;
    }

    /** The most memory that the process had in MB. */
    private static long peak() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
                .findFirst()
                .orElseThrow();
    }

    @Override
    public void close() {
        average.close();
        optimizer.close();
        network.module().close();
        generator.close();
    }

    /** 64 latents of 16×16 and 24 text tokens, a quarter of them padding; velocity. */
    private record PixArt(
            PixArtTransformer module, DType dtype, Tensor latents, Tensor text, Tensor mask)
            implements Case {
        private static final Diffusion OBJECTIVE =
                new Diffusion(
                        NoiseSchedule.scaledLinear(1000, 0.00085, 0.012), Prediction.V_PREDICTION);
        private static final PixArtConfig CONFIG =
                PixArtConfig.builder()
                        .numAttentionHeads(4)
                        .attentionHeadDim(64)
                        .outChannels(4)
                        .numLayers(6)
                        .crossAttentionDim(256)
                        .sampleSize(16)
                        .interpolationScale(1.0)
                        .useAdditionalConditions(false)
                        .captionChannels(192)
                        .build();

        PixArt(DType dtype) {
            this(
                    Weights.random(0, dtype, Device.CPU, w -> new PixArtTransformer(w, CONFIG)),
                    dtype,
                    random(64, 4, 16, 16),
                    random(64, 24, 192).to(dtype),
                    padding());
        }

        private static Tensor padding() {
            Tensor mask = Tensor.ones(DType.FLOAT32, 64, 24);
            mask.narrow(1, 18, 6).timesInPlace(0);
            return mask;
        }

        @Override
        public Tensor loss(Generator generator) {
            PixArtText prepared = module.prepare(text, mask);
            return OBJECTIVE.loss(
                    (x, timesteps) -> module.forward(x.to(dtype), timesteps, prepared, null),
                    latents,
                    generator);
        }
    }

    /** 16 pictures of 64×64. */
    private record Autoencoder(AutoencoderKl module, Tensor images) implements Case {
        private static final AutoencoderLoss OBJECTIVE =
                new AutoencoderLoss(AutoencoderLoss.Options.DEFAULTS);
        private static final List<Boolean> NO_ATTENTION = List.of(false, false, false, false);
        private static final AutoencoderKlConfig CONFIG =
                AutoencoderKlConfig.builder()
                        .downBlockAttention(NO_ATTENTION)
                        .upBlockAttention(NO_ATTENTION)
                        .blockOutChannels(List.of(32, 64, 128, 128))
                        .normGroups(4)
                        .scalingFactor(1)
                        .forceUpcast(false)
                        .midBlockAttention(false)
                        .build();

        Autoencoder(DType dtype) {
            this(
                    Weights.random(0, dtype, Device.CPU, w -> new AutoencoderKl(w, CONFIG)),
                    random(16, 3, 64, 64).clamp(-1, 1).to(dtype));
        }

        @Override
        public Tensor loss(Generator generator) {
            return OBJECTIVE.loss(module, images, generator);
        }
    }

    private static Tensor random(long... shape) {
        try (var generator = new Generator(1)) {
            return Tensor.randn(generator, shape);
        }
    }
}
