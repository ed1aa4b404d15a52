package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Stochastic samplers with the exact denoiser of Gaussian data end with the data's distribution.
 */
class DistributionTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.4);
    private static final NoiseSchedule SCHEDULE = NoiseSchedule.linear(1000, 0.0001, 0.02);

    @FunctionalInterface
    private interface Sampler {
        Tensor sample(Denoiser denoiser, Tensor x, NoiseSource noise);
    }

    /**
     * Checks mean and variance to four standard errors and the sampler's own bias.
     *
     * @param bias of the deviation, relative
     */
    private static void check(List<NoiseLevel> levels, double bias, Sampler sampler) {
        check(DATA.denoiser(), levels, bias, sampler);
    }

    private static void check(
            Denoiser denoiser, List<NoiseLevel> levels, double bias, Sampler sampler) {
        int samples = levels.size() > 100 ? 1 << 14 : 1 << 17;
        try (var generator = new Generator(5);
                var scope = TensorScope.open()) {
            NoiseSource noise =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            Tensor start = DATA.marginal(Tensor.randn(generator, 1, samples), levels.getFirst());
            Tensor sampled = sampler.sample(denoiser, start, noise);
            double deviation = Math.sqrt(sampled.variance(1, false, 0, 1).item());
            double expected = DATA.deviation();
            double error = expected / Math.sqrt(samples);
            assertEquals(DATA.mean(), sampled.mean().item(), 4 * error + bias * expected, "mean");
            assertEquals(expected, deviation, 4 * error / Math.sqrt(2) + bias * expected, "sd");
        }
    }

    /** Each {@code stride}th timestep of the schedule, down to no noise. */
    private static List<NoiseLevel> every(int stride) {
        List<NoiseLevel> levels =
                IntStream.iterate(999, t -> t >= 0, t -> t - stride)
                        .mapToObj(SCHEDULE::level)
                        .toList();
        return Gaussian.endingClean(levels);
    }

    @Test
    void ddpmWithTheSmallVariance() {
        List<NoiseLevel> levels = every(1);
        check(levels, 0.01, ddpm(levels, ReverseVariance.FIXED_SMALL));
    }

    @Test
    void ddpmWithTheLargeVariance() {
        List<NoiseLevel> levels = every(1);
        check(levels, 0.01, ddpm(levels, ReverseVariance.FIXED_LARGE));
    }

    /** With the true variance, which depends on the data, a few steps are exact. */
    @Test
    void ddpmWithALearnedVariance() {
        List<NoiseLevel> levels = every(250);
        check(
                withVariance(levels, (variance, posterior, beta) -> variance),
                levels,
                0,
                ddpm(levels, ReverseVariance.LEARNED));
    }

    @Test
    void ddpmWithAVarianceLearnedWithinItsRange() {
        List<NoiseLevel> levels = every(250);
        check(
                withVariance(
                        levels,
                        (variance, posterior, beta) -> {
                            double least = Math.log(Math.max(posterior, 1e-20));
                            double share = (Math.log(variance) - least) / (Math.log(beta) - least);
                            return 2 * share - 1;
                        }),
                levels,
                0,
                ddpm(levels, ReverseVariance.LEARNED_RANGE));
    }

    private static Sampler ddpm(List<NoiseLevel> levels, ReverseVariance variance) {
        return (d, x, noise) -> Solvers.ddpm(d, x, levels, variance, noise, StepListener.NONE);
    }

    @FunctionalInterface
    private interface VarianceOutput {
        double of(double variance, double posterior, double beta);
    }

    private static Denoiser withVariance(List<NoiseLevel> levels, VarianceOutput output) {
        return (x, at) -> {
            NoiseLevel next = levels.get(levels.indexOf(at) + 1);
            double beta = at.varianceGiven(next);
            double left = next.sigma() / at.sigma();
            double value = output.of(DATA.reverseVariance(at, next), left * left * beta, beta);
            Tensor constant = x.times(0).plus(value);
            return new Denoised(DATA.denoiser().denoise(x, at).x0(), null, constant);
        };
    }

    @Test
    void ddimWithFreshNoise() {
        List<NoiseLevel> levels = every(2);
        for (double eta : new double[] {0.5, 1}) {
            check(
                    levels,
                    0.01,
                    (d, x, noise) -> Solvers.ddim(d, x, levels, eta, noise, StepListener.NONE));
        }
    }

    @Test
    void ddimWithAllOfTheNoiseIsDdpm() {
        List<NoiseLevel> levels = every(50);
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.randn(new Generator(3), 1, 64);
            Tensor ddpm =
                    ddpm(levels, ReverseVariance.FIXED_SMALL)
                            .sample(DATA.denoiser(), x, new SeededNoise(4, 1));
            Tensor ddim =
                    Solvers.ddim(
                            DATA.denoiser(),
                            x,
                            levels,
                            1,
                            new SeededNoise(4, 1),
                            StepListener.NONE);
            assertEquals(0, ddpm.minus(ddim).abs().max().item(), 1e-5);
        }
    }

    @Test
    void eulerAncestral() {
        List<NoiseLevel> levels = Gaussian.endingClean(Gaussian.exploding(800));
        check(
                levels,
                0.02,
                (d, x, noise) -> Solvers.eulerAncestral(d, x, levels, noise, StepListener.NONE));
    }

    @Test
    void theAncestralMidpoint() {
        List<NoiseLevel> levels = Gaussian.endingClean(Gaussian.exploding(400));
        List<NoiseLevel> preserving = every(5);
        for (List<NoiseLevel> each : List.of(levels, preserving)) {
            check(each, 0.02, along(Solver.midpoint(true, null), each));
        }
    }

    private static Sampler along(Solver solver, List<NoiseLevel> levels) {
        return (d, x, noise) -> solver.solve(d, x, levels, noise, StepListener.NONE);
    }

    /** Noise that is added before each step is taken away by it. */
    @Test
    void churnedSolvers() {
        List<NoiseLevel> exploding =
                Gaussian.levels(400, u -> NoiseLevel.varianceExploding(10 * Math.pow(0.001, u), u));
        for (List<NoiseLevel> levels : List.of(Gaussian.endingClean(exploding), every(5))) {
            var churn = new Churn(100, 0.05, 50, 1);
            for (Solver each : List.of(Solver.heun(), Solver.midpoint(false, null))) {
                check(levels, 0.01, along(Solver.churned(each, churn, null, null), levels));
            }
        }
    }

    /** A network that goes to any earlier time in one step makes any number of steps exact. */
    @Test
    void trajectoryConsistency() {
        for (double gamma : new double[] {0.3, 1}) {
            List<NoiseLevel> levels = every(100);
            check(toEarlier(levels, gamma), levels, 0, along(Solver.tcd(gamma, null), levels));
        }
    }

    /** x̂0 and ε that together are the exact solution at the time to which the step goes. */
    private static Denoiser toEarlier(List<NoiseLevel> levels, double gamma) {
        return (x, at) -> {
            NoiseLevel next = levels.get(levels.indexOf(at) + 1);
            NoiseLevel s =
                    next.sigma() == 0
                            ? next
                            : Levels.between(
                                    next, NoiseLevel.CLEAN, (1 - gamma) * next.noiseToSignal());
            Tensor there = DATA.transport(x, at, s);
            Tensor x0 = DATA.denoiser().denoise(x, at).x0();
            return s.sigma() == 0
                    ? new Denoised(there)
                    : new Denoised(x0, there.plus(x0, -s.alpha()).dividedBy(s.sigma()), null);
        };
    }

    @Test
    void stochasticDpmSolver() {
        List<NoiseLevel> toData = every(2);
        // By ε, it can't end without noise; what is left at the first timestep is next to nothing.
        List<NoiseLevel> toNoise = toData.subList(0, toData.size() - 1);
        for (DpmSolver.Kind kind : DpmSolver.Kind.values()) {
            check(toData, 0.01, dpmSolver(DpmSolver.Algorithm.DATA_SDE, kind, toData));
            check(toNoise, 0.01, dpmSolver(DpmSolver.Algorithm.NOISE_SDE, kind, toNoise));
        }
    }

    private static Sampler dpmSolver(
            DpmSolver.Algorithm algorithm, DpmSolver.Kind kind, List<NoiseLevel> levels) {
        var options = new DpmSolver.Options(algorithm, 2, kind, true, true);
        return (d, x, noise) ->
                DpmSolver.multistep(d, x, levels, options, noise, StepListener.NONE);
    }

    @Test
    void extendedReverseSdes() {
        List<NoiseLevel> exploding = Gaussian.endingClean(Gaussian.exploding(400));
        List<NoiseLevel> flow = Gaussian.endingClean(Gaussian.flow(400));
        for (List<NoiseLevel> levels : List.of(exploding, every(2), flow)) {
            for (int order = 1; order <= 3; order++) {
                check(levels, order == 1 ? 0.04 : 0.01, along(Solver.erSde(order), levels));
            }
        }
    }

    @Test
    void predictorsAndCorrectors() {
        List<NoiseLevel> exploding = Gaussian.endingClean(Gaussian.exploding(400));
        for (List<NoiseLevel> levels : List.of(exploding, every(2))) {
            for (var predictor : PredictorCorrector.Predictor.values()) {
                for (int corrections : new int[] {0, 1}) {
                    check(
                            levels,
                            0.03,
                            (d, x, noise) ->
                                    PredictorCorrector.solve(
                                            d,
                                            x,
                                            levels,
                                            predictor,
                                            corrections,
                                            0.16,
                                            noise,
                                            StepListener.NONE));
                }
            }
        }
    }

    @Test
    void eulerAndMaruyama() {
        for (Sde sde :
                List.of(
                        Sde.variancePreserving(0.1, 20),
                        Sde.subVariancePreserving(0.1, 20),
                        Sde.varianceExploding(0.01, 10))) {
            List<NoiseLevel> levels = sde.levels(1000, 0.1);
            ToDoubleFunction<NoiseLevel> time = at -> at.timestep() / Sde.TIMESTEPS;
            check(
                    levels,
                    0.02,
                    (d, x, noise) -> {
                        Tensor noisy =
                                Solver.eulerMaruyama(sde, time, 0.9 / 1000)
                                        .solve(d, x, levels, noise, StepListener.NONE);
                        return DATA.transport(noisy, levels.getLast(), NoiseLevel.CLEAN);
                    });
        }
    }

    /** Correction alone leads to a level's distribution. */
    @Test
    void correctorsAlone() {
        NoiseLevel at = NoiseLevel.varianceExploding(0.5, 0);
        List<NoiseLevel> levels = List.of(at, NoiseLevel.varianceExploding(0.499, 0));
        check(
                levels,
                0.02,
                (d, x, noise) -> {
                    Tensor far = x.times(0).plus(noise.drawLike(x));
                    Tensor near =
                            PredictorCorrector.solve(
                                    d,
                                    far,
                                    levels,
                                    PredictorCorrector.Predictor.PROBABILITY_FLOW,
                                    300,
                                    0.16,
                                    noise,
                                    StepListener.NONE);
                    return DATA.transport(near, levels.getLast(), NoiseLevel.CLEAN);
                });
    }

    @Test
    void annealedLangevin() {
        List<NoiseLevel> levels = Gaussian.endingClean(Gaussian.exploding(200));
        check(
                levels,
                0.03,
                (d, x, noise) ->
                        Solver.langevin(10, 0.1).solve(d, x, levels, noise, StepListener.NONE));
    }

    /** The exact consistency function makes any number of steps exact. */
    @Test
    void multistepConsistency() {
        Denoiser consistency = (x, at) -> new Denoised(DATA.transport(x, at, NoiseLevel.CLEAN));
        for (int stride : new int[] {1000, 250}) {
            List<NoiseLevel> levels = every(stride);
            check(
                    consistency,
                    levels,
                    0,
                    (d, x, noise) -> Solvers.lcm(d, x, levels, noise, StepListener.NONE));
        }
    }
}
