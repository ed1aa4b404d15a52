package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Solvers: each takes latents along noise levels, from the first to the last, and calls the
 * denoiser at all but the last (see each for the few exceptions).
 *
 * <p>{@code x} are latents at the first level {@code [N,C,…]}, which are left as they are; the
 * result are latents at the last, in the caller's scope.
 */
public final class Solvers {
    private static final String EULER = "Euler's method";
    private static final String HEUN = "Heun's method";
    private static final String ANCESTRAL = "Euler's ancestral method";
    private static final String DDIM = "DDIM";
    private static final String DDPM = "DDPM";
    private static final String FLOW_MAP = "a flow map";
    private static final String TCD = "TCD";

    private Solvers() {}

    /**
     * Euler's method on the probability-flow ODE over the noise-to-signal ratio, dx̃/dσ̃ = (x̃ −
     * x̂0)/σ̃ with x̃ = x/alpha and σ̃ = sigma/alpha (Karras et al. 2022, arXiv:2206.00364,
     * algorithm 1; Song et al. 2021, arXiv:2010.02502, section 4.3, for why that is {@link #ddim}
     * without fresh noise). On levels of flow matching it is Euler's method on the flow. One
     * evaluation per step, order 1.
     *
     * @param levels of any form, with noise in all but the last
     */
    public static Tensor euler(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, StepListener on) {
        Levels.requireNoiseBeforeTheLast(EULER, levels);
        if (!Levels.areStraight(levels)) {
            return ddim(denoiser, x, levels, 0, NoiseSource.NONE, on);
        }
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> along(denoised, denoised.slope(xi, at), next.sigma()));
    }

    /**
     * Heun's method on the same ODE (Karras et al. 2022, algorithm 1). Two evaluations per step but
     * one in a step that ends without noise, order 2.
     *
     * @param levels of any form, with noise in all but the last and, but for those of flow
     *     matching, with data in all
     * @param on is called after every evaluation; after a step's first one, the latents are Euler's
     * @throws IllegalArgumentException if they are others
     */
    public static Tensor heun(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, StepListener on) {
        Levels.requireNoiseBeforeTheLast(HEUN, levels);
        boolean straight = Levels.areStraight(levels);
        if (!straight) {
            Levels.requireDataEverywhere(HEUN, levels);
        }
        try (var walk = new Walk(heunEvaluations(levels).size(), on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                NoiseLevel next = levels.get(i + 1);
                // x/alpha moves by σ̃' − σ̃ along the noise; on straight levels, x along the slope.
                double kept = straight ? 1 : next.alpha() / at.alpha();
                double dt = next.sigma() - kept * at.sigma();
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor slope =
                            straight ? denoised.slope(latents, at) : denoised.noise(latents, at);
                    Tensor rest = straight ? latents : latents.times(kept);
                    Tensor guess = rest.plus(slope.times(dt));
                    if (next.sigma() == 0) {
                        latents = walk.moved(scope, at, guess, denoised);
                        continue;
                    }
                    guess = walk.evaluated(at, guess, denoised);
                    Denoised there = denoiser.denoise(guess, next);
                    Tensor second = straight ? there.slope(guess, next) : there.noise(guess, next);
                    Tensor mean = slope.plus(second).dividedBy(2);
                    latents = walk.moved(scope, next, rest.plus(mean.times(dt)), there);
                }
            }
            return walk.end(latents);
        }
    }

    /** The levels at which {@link #heun} calls the denoiser, in order. */
    static List<NoiseLevel> heunEvaluations(List<NoiseLevel> levels) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (int i = 0; i + 1 < levels.size(); i++) {
            evaluations.add(levels.get(i));
            if (levels.get(i + 1).sigma() > 0) {
                evaluations.add(levels.get(i + 1));
            }
        }
        return evaluations;
    }

    /**
     * Euler's method to less noise than the next level has, and fresh noise up to it (k-diffusion's
     * ancestral sampling: the posterior's variance, DDPM's in variance-exploding form; at levels of
     * another form it is {@link #ddim} with all of DDPM's noise). Draws noise in every step.
     *
     * @param levels of any form, with noise in all but the last and data in all but the first
     * @throws IllegalArgumentException if they are others
     */
    public static Tensor eulerAncestral(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(ANCESTRAL, levels);
        if (!Levels.areVarianceExploding(levels)) {
            return ddim(denoiser, x, levels, 1, noise, on);
        }
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    double up = Math.sqrt(posteriorVariance(at, next));
                    return along(denoised, denoised.slope(xi, at), kept(at, next, 1))
                            .plus(noise.drawLike(xi), up);
                });
    }

    /**
     * DDIM (Song et al. 2021, arXiv:2010.02502, equations 12 and 16). Draws noise in every step if
     * eta &gt; 0. Order 1 for eta = 0, where it solves the probability-flow ODE at levels of any
     * family.
     *
     * @param levels of any form, with noise in all but the last; if eta &gt; 0, with data in all
     *     but the first
     * @param eta 0 for none of DDPM's noise, 1 for all of it
     * @throws IllegalArgumentException if the levels are others
     */
    public static Tensor ddim(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            double eta,
            NoiseSource noise,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(DDIM, levels);
        if (eta > 0) {
            Levels.requireData(DDIM, levels);
        }
        return ddim(denoiser, x, levels, eta, false, null, noise, on);
    }

    /**
     * CFG++ (Chung et al. 2024, arXiv:2406.08070, algorithm 2): {@link #ddim} to the guided x̂0
     * with the unconditional estimate's noise, alpha'·x̂0 + sigma'·ε̂∅. A step under
     * classifier-free guidance of the weight w/(1 − ρ'/ρ) comes to the same, where ρ = sigma/alpha
     * and w is the weight here, which is therefore small.
     *
     * @param denoiser guided, as by {@link dev.darkroom.models.diffusion.guidance.CfgPlusPlus};
     *     where it knows no {@linkplain Denoised#unconditional other estimate}, a step is one of
     *     {@link #ddim}
     * @param levels as for {@link #ddim}
     * @param eta 0 for none of DDPM's noise, 1 for all of it
     * @throws IllegalArgumentException if the levels are others
     */
    public static Tensor cfgPlusPlus(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            double eta,
            NoiseSource noise,
            StepListener on) {
        Denoiser renoised =
                (xi, at) -> {
                    Denoised denoised = denoiser.denoise(xi, at);
                    Tensor unconditional = denoised.unconditional();
                    if (unconditional == null) {
                        return denoised;
                    }
                    Tensor epsilon = new Denoised(unconditional).remainder(xi, at);
                    return new Denoised(denoised.x0(), epsilon, denoised.variance());
                };
        return ddim(renoised, x, levels, eta, noise, on);
    }

    /**
     * DDIM whose steps may end elsewhere than at the next level. For some timestep spacings,
     * diffusers' do.
     *
     * @param eta 0 for none of DDPM's noise, 1 for all of it
     * @param clippedNoise whether ε is taken from the clipped x̂0, as GLIDE does
     * @param end where a step from a level ends; null for the next level
     */
    static Tensor ddim(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            double eta,
            boolean clippedNoise,
            @Nullable UnaryOperator<NoiseLevel> end,
            NoiseSource noise,
            StepListener on) {
        int last = levels.size() - 1;
        List<NoiseLevel> from = levels.subList(0, last);
        return Walk.between(
                denoiser,
                x,
                from,
                end == null ? levels.subList(1, last + 1) : from.stream().map(end).toList(),
                on,
                (xi, denoised, at, next) ->
                        ancestral(
                                denoised.x0(),
                                clippedNoise ? denoised.remainder(xi, at) : denoised.noise(xi, at),
                                at,
                                next,
                                eta,
                                noise));
    }

    /** A step of DDIM: what is left of ε, and a share eta of DDPM's noise. */
    static Tensor ancestral(
            Tensor x0,
            Tensor epsilon,
            NoiseLevel at,
            NoiseLevel next,
            double eta,
            NoiseSource noise) {
        Tensor moved = x0.times(next.alpha()).plus(epsilon, kept(at, next, eta));
        return eta > 0
                ? moved.plus(noise.drawLike(x0), eta * Math.sqrt(posteriorVariance(at, next)))
                : moved;
    }

    /**
     * DDPM's ancestral sampling (Ho et al. 2020, arXiv:2006.11239, algorithm 2 with the mean of
     * equation 7). Draws noise in every step but one at timestep 0.
     *
     * @param levels of any form, with noise in all but the last and data in all but the first
     * @throws IllegalArgumentException if they are others
     */
    public static Tensor ddpm(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            ReverseVariance variance,
            NoiseSource noise,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(DDPM, levels);
        Levels.requireData(DDPM, levels);
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    double beta = at.varianceGiven(next);
                    double total = at.sigma() * at.sigma();
                    double left = next.sigma() * next.sigma() / total;
                    Tensor mean =
                            denoised.x0()
                                    .times(next.alpha() * beta / total)
                                    .plus(xi, at.alpha() / next.alpha() * left);
                    if (at.timestep() == 0) {
                        return mean;
                    }
                    Tensor z = noise.drawLike(xi);
                    return mean.plus(variance.scale(z, left * beta, beta, denoised.variance()));
                });
    }

    /**
     * Multistep consistency sampling (Song et al. 2023, arXiv:2303.01469, algorithm 1; for latents
     * Luo et al. 2023, arXiv:2310.04378, algorithm 3): to the data at once, and back to the next
     * level with fresh noise, unless that is clean.
     *
     * @param consistency maps latents at any level to the end of their trajectory; see {@link
     *     Consistency#boundary}
     * @param levels of any form
     */
    public static Tensor lcm(
            Denoiser consistency,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        return Walk.along(
                consistency,
                x,
                levels,
                on,
                (xi, denoised, at, next) ->
                        next.sigma() == 0
                                ? denoised.x0().times(next.alpha())
                                : next.noised(denoised.x0(), noise.drawLike(xi)));
    }

    /** The level at a share of another one's time. */
    @FunctionalInterface
    public interface Earlier {
        /**
         * The level at {@code share} times the level's timestep.
         *
         * @param share from 0 to 1
         */
        NoiseLevel at(NoiseLevel level, double share);
    }

    /**
     * Strategic stochastic sampling of trajectory consistency models (Zheng et al. 2024,
     * arXiv:2402.19159, algorithm 4): from each level along the network's estimate to the time s =
     * (1 − gamma)·t', and from there with fresh noise to t', the next level.
     *
     * @param denoiser a network that was distilled to go to any earlier time in one step
     * @param levels of any form, with noise in all but the last and data in all but the first
     * @param gamma 0 for no noise, where it is {@link #ddim}; 1 for {@link #lcm}
     * @param before the level at a share of a level's time; null for that share of its
     *     noise-to-signal ratio
     */
    public static Tensor tcd(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            double gamma,
            @Nullable Earlier before,
            NoiseSource noise,
            StepListener on) {
        if (!(gamma >= 0 && gamma <= 1)) {
            throw new IllegalArgumentException("TCD's gamma is from 0 to 1, not " + gamma);
        }
        Levels.requireNoiseBeforeTheLast(TCD, levels);
        Levels.requireData(TCD, levels);
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    NoiseLevel s = earlier(next, 1 - gamma, before);
                    Tensor there = s.noised(denoised.x0(), denoised.noise(xi, at));
                    double variance = next.varianceGiven(s);
                    return variance > 0
                            ? there.times(next.alpha() / s.alpha())
                                    .plus(noise.drawLike(xi), Math.sqrt(variance))
                            : there;
                });
    }

    private static NoiseLevel earlier(NoiseLevel level, double share, @Nullable Earlier before) {
        if (share == 1 || level.sigma() == 0) {
            return level;
        }
        return before == null
                ? Levels.between(level, NoiseLevel.CLEAN, share * level.noiseToSignal())
                : before.at(level, share);
    }

    /**
     * Multistep consistency sampling over levels with alpha = 1 (Song et al. 2023, algorithm 1): to
     * the data at once, and back to the next level with the noise that the data's own, sigmaMin,
     * leaves to it. Ends where the next level is not noisier than sigmaMin.
     *
     * @param levels with alpha = 1
     * @param sigmaMin the level at which the model is the identity
     * @throws IllegalArgumentException if the levels are of another form
     */
    public static Tensor consistency(
            Denoiser consistency,
            Tensor x,
            List<NoiseLevel> levels,
            double sigmaMin,
            NoiseSource noise,
            StepListener on) {
        Levels.requireVarianceExploding("consistency sampling", levels);
        return Walk.along(
                consistency,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    double fresh = next.sigma() * next.sigma() - sigmaMin * sigmaMin;
                    return fresh > 0
                            ? denoised.x0().plus(noise.drawLike(xi), Math.sqrt(fresh))
                            : denoised.x0().alias();
                });
    }

    /**
     * Steps of a flow map, x − (t − r)·u(x, r, t): the network is told where each step ends and
     * predicts the average velocity up to there, so that the best one needs a single step
     * (MeanFlow: Geng et al. 2025, arXiv:2505.13447; AnyFlow: arXiv:2605.13724). With the velocity
     * at t for u it is {@link #euler}.
     *
     * @param denoiser of a {@link FlowMapNetwork}
     * @param levels of a flow, alpha + sigma = 1, with noise in all but the last
     * @throws IllegalArgumentException if the levels are others, or the network takes one time
     *     alone
     */
    public static Tensor flowMap(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, StepListener on) {
        Levels.requireNoiseBeforeTheLast(FLOW_MAP, levels);
        Levels.requireFlow(FLOW_MAP, levels);
        try (var walk = new Walk(levels.size() - 1, on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                NoiseLevel next = levels.get(i + 1);
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.towards(next).denoise(latents, at);
                    Tensor velocity = denoised.slope(latents, at);
                    Tensor moved = along(denoised, velocity, next.sigma());
                    latents = walk.moved(scope, at, moved, denoised);
                }
            }
            return walk.end(latents);
        }
    }

    /**
     * x on the straight line through x̂0 with a slope dx/dσ. From x it would be the same but for
     * rounding, of which x has much where its sigma is thousands.
     */
    private static Tensor along(Denoised denoised, Tensor slope, double sigma) {
        return denoised.x0().plus(slope, sigma);
    }

    /** How much of ε is left beside a share eta of DDPM's noise: √(sigma² − fresh²) at the end. */
    private static double kept(NoiseLevel at, NoiseLevel next, double eta) {
        double ofData = next.alpha() * at.sigma();
        double left = ofData == 0 ? 1 : Math.min(1, at.alpha() * next.sigma() / ofData);
        return next.sigma() * Math.sqrt((1 - eta) * (1 + eta) + eta * eta * left * left);
    }

    /** The variance of x at {@code next}, given x at {@code at} and x0. */
    private static double posteriorVariance(NoiseLevel at, NoiseLevel next) {
        double left = next.sigma() / at.sigma();
        return left * left * at.varianceGiven(next);
    }
}
