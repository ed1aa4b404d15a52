package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

/**
 * How a family is sampled where neither a request nor the checkpoint's {@link Defaults} say so. As
 * in diffusers, which has a pipeline for each, that is another for pictures of noise, for those
 * that are made from a picture, and for parts of one.
 *
 * @param plain without a picture
 * @param edited with a picture
 * @param masked with a picture and a mask
 */
public record TaskDefaults(Task plain, Task edited, Task masked) {
    private static final double STRENGTH = 0.8;
    private static final double MASKED_STRENGTH = 1;

    /**
     * How a task is done.
     *
     * @param steps number of sampling steps
     * @param guidanceScale weight of classifier-free guidance, 1 for none
     * @param strength the share of the steps that is taken, 1 for all
     */
    public record Task(int steps, double guidanceScale, double strength) {
        /**
         * Checks the numbers as a request's.
         *
         * @throws IllegalArgumentException if one is out of range
         */
        public Task {
            Defaults.requireSteps(steps);
            Defaults.requireGuidanceScale(guidanceScale);
            Edit.requireStrength(strength);
        }
    }

    /**
     * Steps and guidance for all tasks, with the strengths of Stable Diffusion 1.x: 0.8, and 1 with
     * a mask.
     */
    public static TaskDefaults of(int steps, double guidanceScale) {
        return new TaskDefaults(
                new Task(steps, guidanceScale, 1),
                new Task(steps, guidanceScale, STRENGTH),
                new Task(steps, guidanceScale, MASKED_STRENGTH));
    }

    /**
     * Returns those of what a request brings.
     *
     * @param edit null for no picture
     */
    public Task of(@Nullable Edit edit) {
        if (edit == null) {
            return plain;
        }
        return edit.mask() == null ? edited : masked;
    }
}
