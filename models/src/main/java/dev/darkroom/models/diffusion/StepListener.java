package dev.darkroom.models.diffusion;

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

    /** This listener, then another. */
    default StepListener then(StepListener next) {
        return step -> {
            onStep(step);
            next.onStep(step);
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
