package dev.darkroom.models.diffusion;

import org.jspecify.annotations.Nullable;

/**
 * The forward process that a network was trained on, and what it predicts.
 *
 * @param prediction what the network predicts
 * @param trainTimesteps how many timesteps it was trained with
 * @param schedule how alpha and sigma follow from the timestep; null for a flow, and for levels
 *     that are a sampler's own
 */
public record ForwardProcess(
        Preconditioning prediction, int trainTimesteps, @Nullable NoiseSchedule schedule) {
    /** A variance-preserving process. */
    public static ForwardProcess of(NoiseSchedule schedule, Prediction prediction) {
        return new ForwardProcess(prediction, schedule.timesteps(), schedule);
    }

    /** Flow matching: alpha = 1 − sigma. */
    public static ForwardProcess flow(int trainTimesteps) {
        return new ForwardProcess(Prediction.FLOW, trainTimesteps, null);
    }

    /** Whether the network learned a flow. */
    public boolean isFlow() {
        return prediction.isFlow();
    }

    /**
     * What the network predicts, for training.
     *
     * @throws IllegalArgumentException if it is none of the {@link Prediction}s
     */
    public Prediction trained() {
        if (prediction instanceof Prediction learned) {
            return learned;
        }
        throw new IllegalArgumentException(
                "a network with EDM's preconditioning, or of an inverted flow, can be sampled here,"
                        + " but not trained");
    }
}
