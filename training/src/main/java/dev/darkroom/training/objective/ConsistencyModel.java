package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;

/**
 * Consistency models (Song et al. 2023, arXiv:2303.01469) over the noise levels of EDM (Karras et
 * al. 2022, arXiv:2206.00364): a network that leads from any noise level to the data at once,
 * distilled from a denoiser or trained alone. x = x0 + sigma·ε.
 *
 * <p>The timestep of networks is ln(sigma)/4.
 *
 * @param sigmaMin where the model is the identity, &gt; 0
 * @param sigmaMax the greatest noise level
 * @param rho how levels crowd at the least noise
 * @param sigmaData standard deviation of the data
 * @param distance between the estimates at neighbouring levels
 */
public record ConsistencyModel(
        double sigmaMin, double sigmaMax, double rho, double sigmaData, Distance distance) {
    /**
     * What is random in a loss.
     *
     * @param indices each sample's index in the levels, from 0 to their number less 2: the cleaner
     *     one of its pair; int64 {@code [N]} on the CPU
     * @param noise standard normal {@code [N,…]}
     */
    public record Draw(Tensor indices, Tensor noise) {}

    public ConsistencyModel {
        if (!(sigmaMin > 0 && sigmaMin < sigmaMax && rho > 0 && sigmaData > 0)
                || Double.isInfinite(sigmaMax)) {
            throw new IllegalArgumentException(
                    "a consistency model needs 0 < sigmaMin < sigmaMax, rho > 0 and sigmaData > 0,"
                            + " not "
                            + sigmaMin
                            + ", "
                            + sigmaMax
                            + ", "
                            + rho
                            + " and "
                            + sigmaData);
        }
    }

    /**
     * Returns the paper's levels, 0.002 to 80 with rho = 7, for data with a standard deviation of
     * 0.5.
     */
    public ConsistencyModel(Distance distance) {
        this(0.002, 80, 7, 0.5, distance);
    }

    // ---- The model ----

    /**
     * Noise levels, the least first (section 2).
     *
     * @param count at least 2
     */
    public double[] sigmas(int count) {
        if (count < 2) {
            throw new IllegalArgumentException("there are at least 2 noise levels, not " + count);
        }
        double least = Math.pow(sigmaMin, 1 / rho);
        double greatest = Math.pow(sigmaMax, 1 / rho);
        var sigmas = new double[count];
        for (int i = 0; i < count; i++) {
            sigmas[i] = Math.pow(least + (double) i / (count - 1) * (greatest - least), rho);
        }
        return sigmas;
    }

    /**
     * Returns the consistency function c_skip·x + c_out·F(c_in·x), the identity at sigmaMin
     * (equation 5 and appendix C).
     *
     * @param sigma each sample's {@code [N]}
     */
    public Tensor consistency(Network network, Tensor x, Tensor sigma) {
        Tensor above = sigma.minus(sigmaMin);
        Tensor skip = above.square().plus(square(sigmaData)).reciprocal().times(square(sigmaData));
        Tensor total = sigma.square().plus(square(sigmaData));
        Tensor out = above.times(sigmaData).times(total.rsqrt());
        return Edm.preconditioned(network, x, sigma, sigmaData, skip, out);
    }

    /**
     * Returns a teacher's denoiser, c_skip·x + c_out·F(c_in·x) with EDM's coefficients (Karras et
     * al. 2022, table 1).
     *
     * @param sigma each sample's {@code [N]}
     */
    public Tensor denoised(Network network, Tensor x, Tensor sigma) {
        return new Edm(sigmaData).denoised(network, x, sigma);
    }

    /** Returns the model for {@link dev.darkroom.models.diffusion.Solvers#consistency}. */
    public Denoiser denoiser(Network network) {
        return (x, at) -> {
            double[] sigma = new double[Math.toIntExact(x.size(0))];
            Arrays.fill(sigma, at.sigma());
            return new Denoised(consistency(network, x, Batches.vector(x, sigma)));
        };
    }

    // ---- Objectives ----

    /**
     * Draws a uniform pair of neighbouring levels for each sample (algorithms 2 and 3), and noise.
     */
    public Draw uniform(Tensor clean, int levels, Generator generator) {
        Shape batch = Shape.of(clean.size(0));
        Tensor indices = Tensor.randint(0, levels - 1, batch, generator, DType.INT64);
        return new Draw(indices, Batches.noise(clean, generator));
    }

    /**
     * Draws pairs of levels by a normal distribution of ln sigma, cut at the levels (Song and
     * Dhariwal 2023, arXiv:2310.14189, equation 10), and noise.
     *
     * @param sigmas the levels
     * @param mean of ln sigma; −1.1 there
     * @param deviation of ln sigma; 2 there
     */
    public Draw logNormal(
            Tensor clean, double[] sigmas, double mean, double deviation, Generator generator) {
        Tensor edges = Tensor.copyOf(sigmas, sigmas.length);
        Tensor cumulative = edges.log().minus(mean).dividedBy(Math.sqrt(2) * deviation).erf();
        Tensor below = cumulative.minus(cumulative.select(0, 0));
        Tensor bounds = below.dividedBy(below.select(0, sigmas.length - 1)); // 0 … 1
        Tensor u = Tensor.rand(Shape.of(clean.size(0)), generator, DType.FLOAT64, Device.CPU);
        Tensor inner = bounds.narrow(0, 1, sigmas.length - 2);
        Tensor passed = u.unsqueeze(1).gt(inner.unsqueeze(0)); // [N,levels − 2]
        return new Draw(passed.to(DType.INT64).sum(false, 1), Batches.noise(clean, generator));
    }

    /**
     * Levels at a step of improved consistency training: their number doubles at equal distances
     * (Song and Dhariwal 2023, equation 11).
     *
     * @param least intervals at the first step; 10 there
     * @param greatest intervals at the last; 1280 there
     * @return the number of levels, one more than the intervals
     */
    public static int levelsAt(long step, long steps, int least, int greatest) {
        double doublings = Math.floor(Math.log((double) greatest / least) / Math.log(2)) + 1;
        long stage = Math.max(1, (long) (steps / doublings));
        long factor = 1L << Math.min(step / stage, 30);
        return (int) Math.min(least * factor, greatest) + 1;
    }

    /**
     * Consistency distillation (algorithm 2) with a step of Heun's method.
     *
     * @param target the student's moving average
     * @param teacher an EDM network
     * @param clean data {@code [N,…]}
     * @param sigmas the levels, the least first
     * @return a scalar, float32
     */
    public Tensor distillation(
            Network student,
            Network target,
            Network teacher,
            Tensor clean,
            double[] sigmas,
            Draw draw) {
        try (var scope = TensorScope.open()) {
            Tensor low = at(clean, sigmas, draw.indices);
            Tensor high = at(clean, sigmas, draw.indices.plus(1));
            Tensor x = clean.plus(draw.noise.times(Batches.column(clean, high)));
            Tensor aim;
            try (var mode = Mode.current().withGradients(false).enter()) {
                aim = consistency(target, heun(teacher, x, high, low), low);
            }
            Tensor estimate = consistency(student, x, high);
            return scope.keep(distance.between(estimate, aim).mean());
        }
    }

    /**
     * Consistency training (algorithm 3): no teacher, the same noise at two neighbouring levels.
     *
     * @param target the student's moving average; in improved training the student itself
     * @param clean data {@code [N,…]}
     * @param sigmas the levels, the least first
     * @param improved whether a pair counts 1/(sigma' − sigma) (Song and Dhariwal 2023, section
     *     3.1), else 1
     * @return a scalar, float32
     */
    public Tensor training(
            Network student,
            Network target,
            Tensor clean,
            double[] sigmas,
            Draw draw,
            boolean improved) {
        try (var scope = TensorScope.open()) {
            Tensor low = at(clean, sigmas, draw.indices);
            Tensor high = at(clean, sigmas, draw.indices.plus(1));
            Tensor aim;
            try (var mode = Mode.current().withGradients(false).enter()) {
                Tensor cleaner = clean.plus(draw.noise.times(Batches.column(clean, low)));
                aim = consistency(target, cleaner, low);
            }
            Tensor x = clean.plus(draw.noise.times(Batches.column(clean, high)));
            Tensor each = distance.between(consistency(student, x, high), aim); // [N]
            return scope.keep((improved ? each.dividedBy(high.minus(low)) : each).mean());
        }
    }

    /** One step of Heun's method on dx/dσ = (x − D(x, σ))/σ (Karras et al. 2022, algorithm 1). */
    private Tensor heun(Network teacher, Tensor x, Tensor from, Tensor to) {
        Tensor dt = Batches.column(x, to.minus(from));
        Tensor slope = slope(teacher, x, from);
        Tensor guess = x.plus(slope.times(dt));
        return x.plus(slope.plus(slope(teacher, guess, to)).times(dt.times(0.5)));
    }

    private Tensor slope(Network teacher, Tensor x, Tensor sigma) {
        return x.minus(denoised(teacher, x, sigma)).dividedBy(Batches.column(x, sigma));
    }

    /** Returns the levels of indices {@code [N]}. */
    private static Tensor at(Tensor clean, double[] sigmas, Tensor indices) {
        long[] each = indices.toLongArray();
        return Batches.vector(
                clean, Arrays.stream(each).mapToDouble(i -> sigmas[(int) i]).toArray());
    }

    private static double square(double x) {
        return x * x;
    }
}
