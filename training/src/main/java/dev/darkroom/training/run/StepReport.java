package dev.darkroom.training.run;

import org.jspecify.annotations.Nullable;

/**
 * A step that was taken.
 *
 * @param step how many steps were taken, this one included
 * @param steps of the run
 * @param loss the mean over its parts; null if it was skipped
 * @param learningRate the factor of the learning rates
 * @param gradientNorm before clipping; null if it was skipped
 * @param samplesPerSecond of the last steps
 * @param secondsLeft until the last step, at that pace
 * @param skipped steps of the run without a finite loss and gradient
 */
public record StepReport(
        long step,
        long steps,
        @Nullable Double loss,
        double learningRate,
        @Nullable Double gradientNorm,
        double samplesPerSecond,
        double secondsLeft,
        long skipped) {}
