package dev.darkroom.training.run;

import dev.darkroom.runtime.optim.LearningRate;

/**
 * How a {@link Trainer} goes.
 *
 * @param seed of noise, timesteps and everything else that a step draws
 * @param steps to take
 * @param parts of a step whose gradients are averaged; 1 for no accumulation
 * @param clip the largest norm of a step's gradients; infinite for no limit
 * @param learningRate the factor of each step
 * @param saveEvery steps between checkpoints
 * @param showEvery steps between calls of {@link Task#show}; 0 for none
 * @param skipLimit so many steps in a row without a finite loss and gradient end the run
 */
public record RunOptions(
        long seed,
        long steps,
        int parts,
        double clip,
        LearningRate learningRate,
        long saveEvery,
        long showEvery,
        int skipLimit) {
    public RunOptions {
        require(steps >= 1, "steps", steps);
        require(parts >= 1, "accumulation", parts);
        require(clip > 0, "clip", clip);
        require(saveEvery >= 1, "saveEvery", saveEvery);
        require(showEvery >= 0, "showEvery", showEvery);
        require(skipLimit >= 1, "skipLimit", skipLimit);
    }

    private static void require(boolean holds, String what, Number value) {
        if (!holds) {
            throw new IllegalArgumentException(what + " can't be " + value);
        }
    }
}
