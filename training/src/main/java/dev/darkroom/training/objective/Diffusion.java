package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.List;

/**
 * Denoising diffusion: the squared error of what the network predicts at random timesteps (Ho et
 * al. 2020, arXiv:2006.11239, equation 14; for v, Salimans and Ho 2022, arXiv:2202.00512).
 *
 * @param schedule the forward process
 * @param prediction what the network predicts; not {@link Prediction#FLOW}
 * @param weight of each sample
 * @param stratified whether a batch's timesteps are spread evenly, by one random number for all
 *     (Kingma et al. 2021, arXiv:2107.00630, appendix I.1), instead of drawn one by one
 * @param shift above 1 for more timesteps of much noise, where the condition says most; a share u
 *     of the way becomes shift·u / (1 + (shift−1)·u) (Esser et al. 2024, arXiv:2403.03206, equation
 *     23); 1 for all alike
 */
public record Diffusion(
        NoiseSchedule schedule,
        Prediction prediction,
        LossWeight weight,
        boolean stratified,
        double shift)
        implements Objective {
    /**
     * What is random in a loss.
     *
     * @param timesteps each sample's, from 0
     * @param noise standard normal {@code [N,C,…]}
     */
    public record Draw(List<Integer> timesteps, Tensor noise) {}

    public Diffusion {
        requireSchedule(prediction);
        if (!(shift > 0 && shift < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("shift must be above 0, not " + shift);
        }
    }

    /** Makes an objective whose timesteps are all as likely. */
    public Diffusion(
            NoiseSchedule schedule, Prediction prediction, LossWeight weight, boolean stratified) {
        this(schedule, prediction, weight, stratified, 1);
    }

    /** Makes an objective whose timesteps are independent and count alike. */
    public Diffusion(NoiseSchedule schedule, Prediction prediction) {
        this(schedule, prediction, LossWeight.UNIFORM, false);
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(loss(network, clean, draw(clean, generator)));
        }
    }

    /**
     * Returns the loss of a batch.
     *
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     */
    public Tensor loss(Network network, Tensor clean, Draw draw) {
        List<NoiseLevel> levels = draw.timesteps.stream().map(schedule::level).toList();
        double[] weights = levels.stream().mapToDouble(at -> weight.of(prediction, at)).toArray();
        try (var scope = TensorScope.open()) {
            Tensor x = NoiseSchedule.noised(clean, draw.noise, levels);
            Tensor output = network.predict(x, Batches.timesteps(x, levels));
            Tensor target = NoiseSchedule.target(prediction, clean, draw.noise, levels);
            Tensor error = Distance.SQUARED.between(Batches.sameShape(output, x), target); // [N]
            return scope.keep(error.times(Batches.vector(x, weights)).mean());
        }
    }

    /** Draws timesteps, then noise. */
    Draw draw(Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            double[] u = Batches.uniform(clean, generator);
            if (stratified) {
                double first = u[0];
                Arrays.setAll(u, i -> (first + (double) i / u.length) % 1);
            }
            Arrays.setAll(u, i -> NoiseLevel.shifted(u[i], shift));
            Tensor noise = scope.keep(Batches.noise(clean, generator));
            return new Draw(timesteps(schedule, u), noise);
        }
    }

    /** Returns the timesteps of numbers in [0, 1). */
    static List<Integer> timesteps(NoiseSchedule schedule, double... u) {
        return Arrays.stream(u).mapToObj(each -> (int) (each * schedule.timesteps())).toList();
    }

    static void requireSchedule(Prediction prediction) {
        if (prediction == Prediction.FLOW) {
            throw new IllegalArgumentException(
                    "a flow has no schedule of timesteps: train it by FlowMatching");
        }
    }
}
