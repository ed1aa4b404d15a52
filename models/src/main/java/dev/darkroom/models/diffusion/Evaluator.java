package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;

/** What a {@link Guidance} asks: the network's estimates under the conditions of a request. */
public interface Evaluator {
    /** The condition that is asked for, such as the prompt. */
    String CONDITIONAL = "conditional";

    /** The condition that guidance leads away from: the negative prompt, or none. */
    String UNCONDITIONAL = "unconditional";

    /** The condition that is asked for, where {@link Guidance#perturbation} acts. */
    String PERTURBED = "perturbed";

    /** No condition: what the network makes of an empty text, whatever the negative prompt. */
    String EMPTY = "empty";

    /**
     * Denoises under each of some conditions.
     *
     * @param x latents {@code [N,C,…]}
     * @param at the level of their noise
     * @param conditions their names, as in {@link Guidance#evaluations}
     * @return an estimate for each, in their order
     */
    List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions);

    /** Denoises under the condition that is asked for. */
    default Denoised conditional(Tensor x, NoiseLevel at) {
        return denoise(x, at, List.of(CONDITIONAL)).getFirst();
    }

    /**
     * This evaluator for steps that end at a level: see {@link Denoiser#towards}.
     *
     * @throws IllegalArgumentException if it can't be told where a step ends
     */
    default Evaluator towards(NoiseLevel end) {
        throw new IllegalArgumentException(
                "this evaluator can't be told where a step ends, here at "
                        + end
                        + "; choose another sampler than flow-map");
    }

    /** Returns what the network predicts. */
    Preconditioning prediction();
}
