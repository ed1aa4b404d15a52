package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/**
 * Observes every evaluation of the denoiser, on the sampling thread. What it throws ends the
 * sampling.
 */
@FunctionalInterface
public interface StepListener {
    /** Does nothing. */
    StepListener NONE = step -> {};

    /** Called after an evaluation. */
    void onStep(Step step);

    /**
     * What goes on in place of the latents after a step, before {@link #onStep} sees it: by default
     * they do.
     *
     * @param evaluation which one ended the step, from 0
     * @param latents {@code [N,C,…]}
     * @return latents of the same shape, in the scope that is open
     */
    default Tensor after(int evaluation, Tensor latents) {
        return latents;
    }

    /** This listener, then another. */
    default StepListener then(StepListener next) {
        StepListener first = this;
        return new StepListener() {
            @Override
            public void onStep(Step step) {
                first.onStep(step);
                next.onStep(step);
            }

            @Override
            public Tensor after(int evaluation, Tensor latents) {
                return next.after(evaluation, first.after(evaluation, latents));
            }
        };
    }

    /** Ends the sampling with a {@link CancellationException} once it is asked for. */
    static StepListener cancelledWhen(BooleanSupplier asked) {
        return step -> {
            if (asked.getAsBoolean()) {
                throw new CancellationException(
                        "cancelled after step " + (step.index() + 1) + " of " + step.of());
            }
        };
    }
}
