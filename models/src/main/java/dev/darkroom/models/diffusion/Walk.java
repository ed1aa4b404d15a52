package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * A walk along noise levels: owns the latents between steps, so that at most two are alive, and
 * tells the listener.
 */
final class Walk implements AutoCloseable {
    /** One step of a sampler that evaluates the denoiser once. */
    @FunctionalInterface
    interface Move {
        /** The latents at {@code next}, from those at {@code at} and the estimate there. */
        Tensor move(Tensor x, Denoised denoised, NoiseLevel at, NoiseLevel next);
    }

    private final int evaluations;
    private final StepListener on;
    private final TensorScope scope = TensorScope.open();
    private @Nullable Tensor latents;
    private int done;

    Walk(int evaluations, StepListener on) {
        this.evaluations = evaluations;
        this.on = on;
    }

    /** Moves latents from each level to the next. */
    static Tensor along(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, StepListener on, Move move) {
        requireLevels(levels);
        int last = levels.size() - 1;
        return between(denoiser, x, levels.subList(0, last), levels.subList(1, last + 1), on, move);
    }

    /** Moves latents from each level to another of the same index. */
    static Tensor between(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> from,
            List<NoiseLevel> to,
            StepListener on,
            Move move) {
        try (var walk = new Walk(from.size(), on)) {
            Tensor latents = x;
            for (int i = 0; i < from.size(); i++) {
                try (var step = TensorScope.open()) {
                    NoiseLevel at = from.get(i);
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor moved = move.move(latents, denoised, at, to.get(i));
                    latents = walk.moved(step, at, moved, denoised);
                }
            }
            return walk.end(latents);
        }
    }

    static void requireLevels(List<NoiseLevel> levels) {
        if (levels.size() < 2) {
            throw new IllegalArgumentException(
                    "a sampler needs at least two noise levels, not " + levels.size());
        }
    }

    /**
     * After an evaluation that ends a step: takes the latents to go on from over from the step's
     * scope.
     */
    Tensor moved(TensorScope step, NoiseLevel at, Tensor x, Denoised denoised) {
        Tensor before = latents;
        Tensor after = step.keep(evaluated(at, x, denoised));
        latents = after;
        if (before != null) {
            before.close();
        }
        return after;
    }

    /** After any evaluation: returns the latents to go on from. */
    Tensor evaluated(NoiseLevel at, Tensor x, Denoised denoised) {
        int evaluation = done++;
        Tensor after = ForeignCode.call(() -> on.after(evaluation, x));
        var step = new Step(evaluation, evaluations, at, after, denoised.x0());
        ForeignCode.run(() -> on.onStep(step));
        return after;
    }

    /** A listener for a solver that takes a step of this walk, whose evaluations are counted on. */
    StepListener within() {
        return new StepListener() {
            @Override
            public void onStep(Step step) {
                on.onStep(
                        new Step(
                                done++,
                                evaluations,
                                step.level(),
                                step.latents(),
                                step.denoised()));
            }

            @Override
            public Tensor after(int evaluation, Tensor latents) {
                return on.after(done, latents);
            }
        };
    }

    /** After a step that another solver took: takes its latents over from the step's scope. */
    Tensor stepped(TensorScope step, Tensor x) {
        Tensor before = latents;
        Tensor after = step.keep(x);
        latents = after;
        if (before != null) {
            before.close();
        }
        return after;
    }

    /** Gives the last latents to the caller's scope. */
    Tensor end(Tensor x) {
        return scope.keep(x);
    }

    @Override
    public void close() {
        scope.close();
    }
}
