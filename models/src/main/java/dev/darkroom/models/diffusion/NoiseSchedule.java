package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;

/**
 * The forward process over the timesteps 0 … T − 1 of training: alpha² at t is ᾱ, the product of 1
 * − β up to t (Ho et al. 2020, arXiv:2006.11239, equation 4). Immutable. All tables are float32,
 * rounded where PyTorch rounds.
 */
public final class NoiseSchedule {
    private final float[] alphaBars;
    private final float[] sigmas;
    private final float[] logSigmas;

    private NoiseSchedule(float[] alphaBars) {
        this.alphaBars = alphaBars;
        sigmas = new float[alphaBars.length];
        logSigmas = new float[alphaBars.length];
        for (int t = 0; t < alphaBars.length; t++) {
            sigmas[t] = (float) Math.sqrt((1 - alphaBars[t]) / alphaBars[t]);
            logSigmas[t] = (float) Math.log(sigmas[t]);
        }
    }

    // ---- Making one ----

    /**
     * A schedule with given variances.
     *
     * @param betas one for each timestep, each from 0 to 1
     */
    public static NoiseSchedule ofBetas(float... betas) {
        if (betas.length == 0) {
            throw new IllegalArgumentException("a schedule needs at least one beta");
        }
        for (float beta : betas) {
            if (!(beta >= 0 && beta <= 1)) {
                throw new IllegalArgumentException("betas are from 0 to 1, not " + beta);
            }
        }
        return new NoiseSchedule(products(betas));
    }

    /** β from {@code start} to {@code end} in equal steps (Ho et al. 2020, section 4). */
    public static NoiseSchedule linear(int timesteps, double start, double end) {
        return ofBetas(linspace(timesteps, start, end));
    }

    /** √β from √{@code start} to √{@code end} in equal steps: latent diffusion's schedule. */
    public static NoiseSchedule scaledLinear(int timesteps, double start, double end) {
        float[] betas = linspace(timesteps, Math.sqrt(start), Math.sqrt(end));
        for (int t = 0; t < timesteps; t++) {
            betas[t] *= betas[t];
        }
        return ofBetas(betas);
    }

    /** ᾱ follows a squared cosine (Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17). */
    public static NoiseSchedule cosine(int timesteps) {
        return ofAlphaBar(timesteps, u -> Math.pow(Math.cos((u + 0.008) / 1.008 * Math.PI / 2), 2));
    }

    /** ᾱ falls exponentially, as exp(−12·t/T). */
    public static NoiseSchedule exponential(int timesteps) {
        return ofAlphaBar(timesteps, u -> Math.exp(-12 * u));
    }

    /** β rises as a sigmoid from near {@code start} to near {@code end} (GeoDiff's schedule). */
    public static NoiseSchedule sigmoid(int timesteps, double start, double end) {
        float[] betas = linspace(timesteps, -6, 6);
        for (int t = 0; t < timesteps; t++) {
            float rise = (float) (1 / (1 + Math.exp(-betas[t])));
            betas[t] = rise * (float) (end - start) + (float) start;
        }
        return ofBetas(betas);
    }

    /**
     * This schedule with its signal-to-noise ratios divided by a factor (Hoogeboom et al. 2023,
     * arXiv:2301.11093; CogVideoX: Yang et al. 2024, arXiv:2408.06072): ᾱ / (factor + (1 −
     * factor)·ᾱ).
     *
     * @param factor above 1 for more noise
     */
    public NoiseSchedule withShiftedSnr(double factor) {
        if (!(factor > 0) || Double.isInfinite(factor)) {
            throw new IllegalArgumentException(
                    "signal-to-noise ratios are divided by a finite factor above 0, not by "
                            + factor);
        }
        var shifted = new float[alphaBars.length];
        for (int t = 0; t < shifted.length; t++) {
            shifted[t] = (float) (alphaBars[t] / (factor + (1 - factor) * alphaBars[t]));
        }
        return new NoiseSchedule(shifted);
    }

    /**
     * This schedule moved and stretched so that the last timestep is pure noise (Lin et al. 2023,
     * arXiv:2305.08891, algorithm 1).
     */
    public NoiseSchedule withZeroTerminalSnr() {
        int last = alphaBars.length - 1;
        float first = (float) Math.sqrt(alphaBars[0]);
        float terminal = (float) Math.sqrt(alphaBars[last]);
        var betas = new float[alphaBars.length];
        float before = 1;
        for (int t = 0; t <= last; t++) {
            float root = (float) Math.sqrt(alphaBars[t]) - terminal;
            root *= first / (first - terminal);
            float alphaBar = root * root;
            betas[t] = 1 - (t == 0 ? alphaBar : alphaBar / before);
            before = alphaBar;
        }
        return ofBetas(betas);
    }

    /**
     * This schedule with ᾱ = 2⁻²⁴ at the last timestep, so that the sigma of pure noise is finite:
     * what samplers in variance-exploding form need after {@link #withZeroTerminalSnr}.
     */
    public NoiseSchedule withFiniteSigma() {
        float[] finite = alphaBars.clone();
        finite[finite.length - 1] = 0x1p-24f;
        return new NoiseSchedule(finite);
    }

    private static NoiseSchedule ofAlphaBar(int timesteps, DoubleUnaryOperator alphaBar) {
        var betas = new float[timesteps];
        for (int t = 0; t < timesteps; t++) {
            double from = alphaBar.applyAsDouble((double) t / timesteps);
            double to = alphaBar.applyAsDouble((t + 1.0) / timesteps);
            betas[t] = (float) Math.min(1 - to / from, 0.999);
        }
        return ofBetas(betas);
    }

    /**
     * Spaces values as PyTorch does: from either end to the middle, multiply and add rounded once.
     */
    private static float[] linspace(int count, double start, double end) {
        var values = new float[count];
        float from = (float) start;
        float to = (float) end;
        float step = (to - from) / (count - 1);
        for (int i = 0; i < count; i++) {
            values[i] =
                    i < count / 2 ? Math.fma(step, i, from) : Math.fma(-step, count - 1 - i, to);
        }
        return values;
    }

    /** Multiplies as PyTorch's cumprod does: in double, each product rounded. */
    private static float[] products(float[] betas) {
        var products = new float[betas.length];
        double product = 1;
        for (int t = 0; t < betas.length; t++) {
            product *= 1 - betas[t];
            products[t] = (float) product;
        }
        return products;
    }

    // ---- Levels ----

    /** T, the number of timesteps. */
    public int timesteps() {
        return alphaBars.length;
    }

    /**
     * ᾱ, the square of alpha.
     *
     * @throws IllegalArgumentException if the schedule has no such timestep
     */
    public double alphaBar(int timestep) {
        if (timestep < 0 || timestep >= alphaBars.length) {
            throw new IllegalArgumentException(
                    "timestep "
                            + timestep
                            + " is outside the schedule, which has "
                            + alphaBars.length
                            + ": use fewer steps or a lower steps_offset");
        }
        return alphaBars[timestep];
    }

    /** The variance-preserving level of a timestep. */
    public NoiseLevel level(int timestep) {
        return NoiseLevel.variancePreserving(alphaBar(timestep), timestep);
    }

    /**
     * The variance-exploding sigma = √((1 − ᾱ)/ᾱ) at a time between timesteps, linear in between
     * and constant beyond the ends.
     */
    public double sigma(double timestep) {
        int last = sigmas.length - 1;
        if (timestep >= last) {
            return sigmas[last];
        }
        int t = (int) Math.max(0, timestep);
        double slope = (double) sigmas[t + 1] - sigmas[t];
        return slope * (Math.max(0, timestep) - t) + sigmas[t];
    }

    /**
     * Returns the timestep whose {@link #sigma} is the given one; log sigma is linear in between.
     */
    public double timestepOf(double sigma) {
        double logSigma = Math.log(Math.max(sigma, 1e-10));
        int above = 0;
        while (above < logSigmas.length && logSigmas[above] <= logSigma) {
            above++;
        }
        int low = Math.clamp(above - 1, 0, logSigmas.length - 2);
        double span = logSigmas[low] - logSigmas[low + 1];
        double weight = Math.clamp((logSigmas[low] - logSigma) / span, 0.0, 1.0);
        return (1 - weight) * low + weight * (low + 1);
    }

    // ---- The forward process ----

    /**
     * Noisy data: alpha·x0 + sigma·ε with each sample at its own timestep (Ho et al. 2020, equation
     * 4).
     *
     * @param x0 {@code [N,…]}
     * @param noise of the same shape
     * @param timesteps N of them
     */
    public Tensor noised(Tensor x0, Tensor noise, int... timesteps) {
        return noised(x0, noise, levels(timesteps));
    }

    /** Noisy data: alpha·x0 + sigma·ε with each sample at its own level. */
    public static Tensor noised(Tensor x0, Tensor noise, List<NoiseLevel> levels) {
        return x0.times(column(x0, levels, NoiseLevel::alpha))
                .plus(noise.times(column(x0, levels, NoiseLevel::sigma)));
    }

    /**
     * What a network learns to predict for noised data.
     *
     * @param x0 {@code [N,…]}
     * @param noise of the same shape
     * @param levels N of them
     */
    public static Tensor target(
            Prediction prediction, Tensor x0, Tensor noise, List<NoiseLevel> levels) {
        return prediction.target(
                x0,
                noise,
                column(x0, levels, NoiseLevel::alpha),
                column(x0, levels, NoiseLevel::sigma));
    }

    private List<NoiseLevel> levels(int... timesteps) {
        return Arrays.stream(timesteps).mapToObj(this::level).toList();
    }

    /** A number for each sample, as {@code [N,1,…]}. */
    private static Tensor column(
            Tensor x0, List<NoiseLevel> levels, ToDoubleFunction<NoiseLevel> value) {
        if (levels.size() != x0.size(0)) {
            throw new IllegalArgumentException(
                    levels.size() + " noise levels for a batch of shape " + x0.shape());
        }
        long[] shape = new long[x0.rank()];
        Arrays.fill(shape, 1);
        shape[0] = levels.size();
        double[] values = levels.stream().mapToDouble(value).toArray();
        return Tensor.copyOf(values, shape).to(x0.dtype()).to(x0.device());
    }
}
