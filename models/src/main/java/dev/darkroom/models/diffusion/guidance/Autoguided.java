package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * Autoguidance (Karras et al. 2024, arXiv:2406.02507): what a weaker version of the network
 * estimates under the same condition takes the place of the unconditional estimate. Every guidance
 * that leads away from that composes with it: x̂0 = weaker + scale·(conditional − weaker).
 *
 * @param network estimates under all other conditions
 * @param weaker of the same task, but less trained or smaller
 */
public record Autoguided(Evaluator network, Evaluator weaker) implements Evaluator {
    /** What it does, in a line. */
    public static final String TITLE =
            "autoguidance: away from a weaker model instead of the unconditional estimate";

    /** Authors, year and number of its paper. */
    public static final String PAPER = "Karras et al. 2024, arXiv:2406.02507";

    /**
     * Checks that both predict the same.
     *
     * @throws IllegalArgumentException if they do not
     */
    public Autoguided {
        if (!network.prediction().equals(weaker.prediction())) {
            throw new IllegalArgumentException(
                    "a network that predicts "
                            + network.prediction()
                            + " is not guided by one that predicts "
                            + weaker.prediction());
        }
    }

    /** What a guidance asks the network itself for: the weaker one is asked for the rest. */
    public static Guidance own(Guidance guidance) {
        List<List<String>> own =
                guidance.evaluations().stream()
                        .map(Autoguided::own)
                        .filter(names -> !names.isEmpty())
                        .distinct()
                        .toList();
        return new Guidance() {
            @Override
            public List<List<String>> evaluations() {
                return own;
            }

            @Override
            public @Nullable Perturbation perturbation() {
                return guidance.perturbation();
            }

            @Override
            public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                return guidance.denoise(x, at, evaluator);
            }
        };
    }

    private static List<String> own(List<String> names) {
        return names.stream().filter(name -> !name.equals(UNCONDITIONAL)).toList();
    }

    @Override
    public List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions) {
        List<String> own = own(conditions);
        var estimates = new ArrayList<Denoised>(conditions.size());
        if (!own.isEmpty()) {
            estimates.addAll(network.denoise(x, at, own));
        }
        int unconditional = conditions.indexOf(UNCONDITIONAL);
        if (unconditional >= 0) {
            estimates.add(unconditional, weaker.conditional(x, at));
        }
        return estimates;
    }

    @Override
    public Evaluator towards(NoiseLevel end) {
        return new Autoguided(network.towards(end), weaker.towards(end));
    }

    @Override
    public Preconditioning prediction() {
        return network.prediction();
    }
}
