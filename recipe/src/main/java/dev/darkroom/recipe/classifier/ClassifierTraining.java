package dev.darkroom.recipe.classifier;

import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;

import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Trains a {@link NoisyClassifier} by the cross entropy at timesteps that are all as likely.
 *
 * @param schedule of the model that it is to guide
 * @param classes K
 * @param width of the network
 * @param steps how many
 * @param batch samples of a step
 * @param seed of weights, batches and noise
 */
record ClassifierTraining(
        NoiseSchedule schedule, int classes, int width, int steps, int batch, long seed) {
    private static final double LEARNING_RATE = 2e-3;
    private static final double WEIGHT_DECAY = 0.01;

    /** The share of the steps in which the learning rate rises. */
    private static final double WARM_UP = 0.05;

    /**
     * Latents and their classes.
     *
     * @param latents {@code [M,C,h,w]}
     * @param classes a number below K of each
     */
    record Labelled(Tensor latents, long[] classes) {}

    /** Trains; the classifier is the caller's. */
    NoisyClassifier train(Labelled data) {
        int channels = Math.toIntExact(data.latents.size(1));
        NoisyClassifier classifier =
                Weights.random(
                        seed,
                        DType.FLOAT32,
                        Device.CPU,
                        w -> new NoisyClassifier(w, channels, width, classes));
        var random = new Random(seed);
        try (var noise = new Generator(seed);
                var optimizer =
                        new AdamW(
                                List.of(ParameterGroup.of(classifier, LEARNING_RATE, WEIGHT_DECAY)),
                                AdamW.Options.DEFAULTS);
                var recording = Mode.GRAD.enter()) {
            classifier.train();
            for (int step = 0; step < steps; step++) {
                try (var scope = TensorScope.open()) {
                    long[] rows = random.longs(batch, 0, data.classes.length).toArray();
                    int[] timesteps = random.ints(batch, 0, schedule.timesteps()).toArray();
                    loss(classifier, data, rows, timesteps, noise).backward();
                    optimizer.step(factor(step));
                    optimizer.zeroGrad();
                }
            }
        }
        classifier.eval();
        return classifier;
    }

    /** The learning rate rises, and falls along a cosine. */
    private double factor(int step) {
        double share = (step + 1.0) / steps;
        return share < WARM_UP
                ? share / WARM_UP
                : 0.5 + 0.5 * Math.cos(Math.PI * (share - WARM_UP) / (1 - WARM_UP));
    }

    private Tensor loss(
            NoisyClassifier classifier,
            Labelled data,
            long[] rows,
            int[] timesteps,
            Generator noise) {
        long[] classes = Arrays.stream(rows).map(row -> data.classes[(int) row]).toArray();
        Tensor logits = logits(classifier, data, rows, timesteps, noise);
        return NoisyClassifier.logProbabilities(logits, Tensor.copyOf(classes, classes.length))
                .mean()
                .negated();
    }

    private Tensor logits(
            NoisyClassifier classifier,
            Labelled data,
            long[] rows,
            int[] timesteps,
            Generator noise) {
        Tensor x0 = data.latents.indexSelect(0, Tensor.copyOf(rows, rows.length));
        Tensor epsilon = Tensor.randn(noise, x0.shape().toArray());
        long[] times = Arrays.stream(timesteps).asLongStream().toArray();
        return classifier.forward(
                schedule.noised(x0, epsilon, timesteps), Tensor.copyOf(times, times.length));
    }

    /** The share of samples whose class it tells at a timestep. */
    double accuracy(NoisyClassifier classifier, Labelled data, int timestep) {
        int count = data.classes.length;
        var timesteps = new int[count];
        Arrays.fill(timesteps, timestep);
        long[] rows = new long[count];
        Arrays.setAll(rows, i -> i);
        try (var scope = TensorScope.open();
                var noise = new Generator(seed + 1)) {
            long[] told = logits(classifier, data, rows, timesteps, noise).argmax(1).toLongArray();
            int right = 0;
            for (int i = 0; i < count; i++) {
                right += told[i] == data.classes[i] ? 1 : 0;
            }
            return (double) right / count;
        }
    }
}
