package dev.darkroom.training.proof;

import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.training.objective.Diffusion;
import dev.darkroom.training.objective.Edm;
import dev.darkroom.training.objective.FlowMatching;
import dev.darkroom.training.objective.FlowTimes;
import dev.darkroom.training.objective.LossWeight;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.objective.ScoreMatching;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * An objective, and how what it trained is sampled; for data of a standard deviation of about 1.
 * Networks are shown x of that size and timesteps 0 … 1000, whatever the objective's own units.
 *
 * @param name for people
 * @param objective trains
 * @param own a network in the objective's units
 * @param ready what the objective trained, for samplers
 * @param initialScale of the noise to start from
 * @param sampler from noise to data
 */
record Recipe(
        String name,
        Objective objective,
        UnaryOperator<Network> own,
        Function<Network, Denoiser> ready,
        double initialScale,
        Sampler sampler) {
    /**
     * How much noise there is in training.
     *
     * @param betas of a scheduler's config, for the three kinds of {@link Diffusion}
     * @param weight of its timesteps for ε, the hardest to learn where there is much noise
     * @param sampler of ε
     * @param steps of that sampler
     * @param times of flows
     * @param mean of ln(sigma), for EDM
     * @param least sigma of EDM's and the score's sampling
     * @param greatest sigma
     */
    record Noise(
            String betas,
            LossWeight weight,
            String sampler,
            int steps,
            FlowTimes times,
            double mean,
            double least,
            double greatest) {
        /** For two values a sample. */
        static final Noise OF_POINTS =
                new Noise(
                        """
                        "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012\
                        """,
                        LossWeight.UNIFORM,
                        "dpm++2m",
                        25,
                        FlowTimes.UNIFORM,
                        0,
                        0.02,
                        20);

        /** For some hundred, which agree on what they show: that takes more noise to hide. */
        static final Noise OF_PICTURES =
                new Noise(
                        """
                        "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02\
                        """,
                        LossWeight.minSnr(5),
                        "ddpm",
                        60,
                        FlowTimes.logitNormal(1, 1),
                        1,
                        0.3,
                        10);

        /** The schedule of the betas. */
        NoiseSchedule schedule() {
            return spec(config(Prediction.EPSILON), "ddpm").process().schedule();
        }

        /** A scheduler's config. */
        private String config(Prediction prediction) {
            return """
            {"_class_name": "DDPMScheduler", %s,
             "clip_sample": false, "prediction_type": "%s"}
            """
                    .formatted(betas, predictionType(prediction));
        }
    }

    /** One for each objective. */
    static List<Recipe> all(Noise noise) {
        return List.of(
                diffusion("ε", noise, Prediction.EPSILON, noise.sampler, noise.steps),
                diffusion("v", noise, Prediction.V_PREDICTION, "ddim", 25),
                diffusion("x0", noise, Prediction.SAMPLE, "euler-a", 30),
                flow(noise, 30),
                edm(noise, 16),
                score(noise, 40));
    }

    /** A sampler with its noise levels. */
    @FunctionalInterface
    interface Sampler {
        Tensor sample(Denoiser denoiser, Tensor x, NoiseSource noise, StepListener on);
    }

    /** The loss of a batch. */
    Tensor loss(Network network, Tensor clean, Generator generator) {
        return objective.loss(own.apply(network), clean, generator);
    }

    /** What the recipe trained, for samplers. */
    Denoiser denoiser(Network network) {
        return ready.apply(own.apply(network));
    }

    /** Samples, of a shape {@code [N,…]}. */
    Tensor sample(Denoiser denoiser, Generator generator, long... shape) {
        return sampler.sample(
                denoiser,
                Tensor.randn(generator, shape).times(initialScale),
                (each, dtype, device) -> Tensor.randn(each, generator, dtype, device),
                StepListener.NONE);
    }

    @Override
    public String toString() {
        return name;
    }

    /** x0 with a weight of its timesteps. */
    static Recipe x0(Noise noise, LossWeight weight) {
        return diffusion("x0", noise, Prediction.SAMPLE, weight, "euler-a", 30);
    }

    private static Recipe diffusion(
            String name, Noise noise, Prediction prediction, String sampler, int steps) {
        LossWeight weight = prediction == Prediction.EPSILON ? noise.weight : LossWeight.UNIFORM;
        return diffusion(name, noise, prediction, weight, sampler, steps);
    }

    private static Recipe diffusion(
            String name,
            Noise noise,
            Prediction prediction,
            LossWeight weight,
            String sampler,
            int steps) {
        SamplingPlan plan = spec(noise.config(prediction), sampler).plan(steps);
        return new Recipe(
                name,
                new Diffusion(noise.schedule(), prediction, weight, false),
                network -> network,
                network -> denoiser(network, prediction),
                plan.initialScale(),
                plan::sample);
    }

    private static String predictionType(Prediction prediction) {
        return switch (prediction) {
            case EPSILON -> "epsilon";
            case V_PREDICTION -> "v_prediction";
            case SAMPLE -> "sample";
            case FLOW -> "flow_prediction";
        };
    }

    private static Recipe flow(Noise noise, int steps) {
        SamplingPlan plan =
                spec(
                                """
                                {"_class_name": "FlowMatchEulerDiscreteScheduler"}
                                """,
                                "flow-euler")
                        .plan(steps);
        return new Recipe(
                "flow",
                new FlowMatching(noise.times),
                network -> network,
                network -> denoiser(network, Prediction.FLOW),
                plan.initialScale(),
                plan::sample);
    }

    /** The timestep is ln(sigma)/4. */
    private static Recipe edm(Noise noise, int steps) {
        var edm = new Edm(1, noise.mean, 1.2);
        List<NoiseLevel> levels = levels(noise.greatest, noise.least, steps);
        return new Recipe(
                "EDM",
                edm,
                network -> (x, timesteps) -> network.predict(x, timesteps.times(440).plus(500)),
                edm::denoiser,
                levels.getFirst().sigma(),
                (denoiser, x, random, on) -> Solvers.heun(denoiser, x, levels, on));
    }

    /**
     * The timestep is the index of the scale; networks are shown x0 + sigma·ε, whatever the sigma.
     */
    private static Recipe score(Noise noise, int steps) {
        var score = new ScoreMatching(noise.least, noise.greatest, 1000);
        List<NoiseLevel> levels = levels(noise.greatest, noise.least, steps);
        double rate = Math.log(noise.greatest / noise.least) / 999;
        return new Recipe(
                "score",
                score,
                network ->
                        (x, scale) -> {
                            Tensor sigma = scale.times(rate).exp().times(noise.least);
                            long[] column = new long[x.rank()];
                            Arrays.fill(column, 1);
                            column[0] = -1;
                            Tensor size = sigma.square().plus(1).sqrt().reshape(column);
                            return network.predict(x.dividedBy(size), scale);
                        },
                score::denoiser,
                levels.getFirst().sigma(),
                (denoiser, x, random, on) ->
                        Solvers.eulerAncestral(denoiser, x, levels, random, on));
    }

    /** Levels with alpha = 1 down to no noise, equally spaced in σ^(1/7) (Karras et al. 2022). */
    private static List<NoiseLevel> levels(double greatest, double least, int steps) {
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double root = Math.pow(greatest, 1 / 7.0);
            double end = Math.pow(least, 1 / 7.0);
            double sigma = Math.pow(root + (end - root) * i / (steps - 1), 7);
            levels.add(NoiseLevel.varianceExploding(sigma, 0));
        }
        levels.add(NoiseLevel.CLEAN);
        return levels;
    }

    static Denoiser denoiser(Network network, Prediction prediction) {
        return new NetworkDenoiser(
                (x, timestep) -> network.predict(x, timestep.repeatInterleave(x.size(0), 0)),
                prediction);
    }

    /** A sampler as a checkpoint would ask for it. */
    private static Scheduler spec(String config, String sampler) {
        try {
            Path file = Files.createTempFile("scheduler_config", ".json");
            try {
                return Scheduler.read(Files.writeString(file, config), sampler);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
