package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;

/**
 * Diffusion with a learned variance: L_simple + lambda·L_vlb (Nichol and Dhariwal 2021,
 * arXiv:2102.09672, equation 16), where the variational bound trains only the variance, whose
 * logarithm lies between the posterior's and β's (equation 15).
 *
 * <p>The bound is in bits per dimension, as published: the sum over the timesteps, estimated by
 * their number times the drawn timestep's term. Data are pictures of 256 levels in −1 … 1 as far as
 * the term of timestep 0 is concerned (Ho et al. 2020, arXiv:2006.11239, equation 13).
 *
 * @param schedule the forward process
 * @param prediction what the first half of the network's channels predict; not {@link
 *     Prediction#FLOW}
 * @param lambda 0.001 there
 */
public record LearnedVariance(NoiseSchedule schedule, Prediction prediction, double lambda)
        implements Objective {
    private static final double HALF_A_LEVEL = 1 / 255.0;

    public LearnedVariance {
        Diffusion.requireSchedule(prediction);
        if (!(lambda >= 0 && lambda < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("lambda is finite and from 0, not " + lambda);
        }
        if (prediction == Prediction.EPSILON && schedule.alphaBar(schedule.timesteps() - 1) == 0) {
            throw new IllegalArgumentException(
                    "a network that predicts epsilon has no variational bound at zero terminal"
                            + " SNR: let it predict v");
        }
        if (schedule.timesteps() < 2) {
            throw new IllegalArgumentException("a learned variance needs at least two timesteps");
        }
    }

    /** Weighs the bound with the published lambda. */
    public LearnedVariance(NoiseSchedule schedule, Prediction prediction) {
        this(schedule, prediction, 0.001);
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(
                    loss(
                            network,
                            clean,
                            new Diffusion(schedule, prediction).draw(clean, generator)));
        }
    }

    /**
     * Returns the loss of a batch.
     *
     * @param network predicts {@code [N,2C,…]}, the variance's channels after the mean's
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     * @throws IllegalStateException if the network does not predict a variance
     */
    public Tensor loss(Network network, Tensor clean, Diffusion.Draw draw) {
        List<NoiseLevel> levels = draw.timesteps().stream().map(schedule::level).toList();
        try (var scope = TensorScope.open()) {
            Tensor x = NoiseSchedule.noised(clean, draw.noise(), levels);
            Tensor output = network.predict(x, Batches.timesteps(x, levels));
            long channels = x.size(1);
            if (output.size(1) != 2 * channels) {
                throw new IllegalStateException(
                        "a learned variance needs a network that makes twice the channels of "
                                + x.shape()
                                + ", not "
                                + output.shape());
            }
            Tensor mean = output.narrow(1, 0, channels); // [N,2C,…] → [N,C,…]
            Tensor variance = output.narrow(1, channels, channels).to(DType.FLOAT32);
            Tensor target = NoiseSchedule.target(prediction, clean, draw.noise(), levels);
            Tensor simple = Distance.SQUARED.between(mean, target).mean();
            Tensor wide = x.to(DType.FLOAT32);
            Tensor x0 = Estimate.of(prediction, mean.detach().to(DType.FLOAT32), wide, levels).x0();
            Tensor bound = bound(clean.to(DType.FLOAT32), x0, wide, variance, levels);
            return scope.keep(simple.plus(bound, lambda * schedule.timesteps()));
        }
    }

    /** Returns the mean term of the variational bound, in bits per dimension. */
    private Tensor bound(
            Tensor clean, Tensor x0, Tensor x, Tensor variance, List<NoiseLevel> levels) {
        Tensor low = Batches.column(x, levels, at -> Math.log(posteriorVariance(at)));
        Tensor high = Batches.column(x, levels, at -> Math.log(beta(at)));
        Tensor share = variance.plus(1).dividedBy(2); // from −1…1 to 0…1
        Tensor logVariance = share.times(high.minus(low)).plus(low);
        Tensor ofX0 = Batches.column(x, levels, this::weightOfX0);
        Tensor difference = clean.minus(x0).times(ofX0); // of the posteriors' means
        Tensor divergence =
                logVariance
                        .minus(low)
                        .minus(1)
                        .plus(low.minus(logVariance).exp())
                        .plus(difference.square().times(logVariance.negated().exp()))
                        .dividedBy(2);
        // At timestep 0, the posterior's mean is x0 itself.
        Tensor likelihood = logLikelihood(clean, x0, logVariance);
        Tensor first = Batches.column(x, levels, NoiseLevel::timestep).eq(0);
        return first.where(likelihood.negated(), divergence).mean().dividedBy(Math.log(2));
    }

    /**
     * Returns the probability of a level of a picture under a normal distribution (Ho et al. 2020,
     * equation 13).
     */
    private static Tensor logLikelihood(Tensor clean, Tensor mean, Tensor logVariance) {
        Tensor inverse = logVariance.dividedBy(-2).exp();
        Tensor centred = clean.minus(mean);
        Tensor above = cumulative(centred.plus(HALF_A_LEVEL).times(inverse));
        Tensor below = cumulative(centred.minus(HALF_A_LEVEL).times(inverse));
        Tensor mass =
                clean.lt(-0.999)
                        .where(
                                above,
                                clean.gt(0.999).where(below.subtractedFrom(1), above.minus(below)));
        return mass.clamp(1e-12, 1).log();
    }

    /** Returns the standard normal distribution's cumulative probability at each element. */
    private static Tensor cumulative(Tensor x) {
        return x.dividedBy(Math.sqrt(2)).erf().plus(1).dividedBy(2);
    }

    private NoiseLevel cleaner(NoiseLevel at) {
        return at.timestep() == 0 ? NoiseLevel.CLEAN : schedule.level((int) at.timestep() - 1);
    }

    private double beta(NoiseLevel at) {
        return at.varianceGiven(cleaner(at));
    }

    /** Equation 10; at timestep 0, where it is 0, that of timestep 1, as published. */
    private double posteriorVariance(NoiseLevel at) {
        NoiseLevel from = at.timestep() == 0 ? schedule.level(1) : at;
        double left = cleaner(from).sigma() / from.sigma();
        return left * left * beta(from);
    }

    /** Returns how much of the posterior's mean x0 is (equation 11). */
    private double weightOfX0(NoiseLevel at) {
        return cleaner(at).alpha() * beta(at) / (at.sigma() * at.sigma());
    }
}
