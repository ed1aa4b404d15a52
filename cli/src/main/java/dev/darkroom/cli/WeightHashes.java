package dev.darkroom.cli;

import dev.darkroom.models.pipeline.Pipeline;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/**
 * The hashes of a checkpoint's weights for a picture's generation parameters. They are computed
 * beside the sampling, and no picture waits for them.
 */
final class WeightHashes {
    private static final int POLL_MILLIS = 100;

    /** Which hashes go into generation parameters. */
    enum Mode {
        /** Those that the cache keeps, and what it has not is computed. */
        KEPT,
        /** Those of the files' bytes now. */
        EXACT,
        /** None. */
        NONE
    }

    private final CompletableFuture<Map<String, String>> hashes;

    private WeightHashes(CompletableFuture<Map<String, String>> hashes) {
        this.hashes = hashes;
    }

    static WeightHashes of(Pipeline pipeline, Mode mode) {
        return new WeightHashes(
                switch (mode) {
                    case KEPT -> CompletableFuture.supplyAsync(pipeline::hashWeights);
                    case EXACT -> CompletableFuture.supplyAsync(pipeline::rehashWeights);
                    case NONE -> CompletableFuture.completedFuture(Map.of());
                });
    }

    boolean isDone() {
        return hashes.isDone() && !hashes.isCompletedExceptionally();
    }

    /** The hashes by file; none before they are done. */
    Map<String, String> now() {
        return isDone() ? hashes.join() : Map.of();
    }

    /** Waits for the hashes, or until it is given up. */
    void await(BooleanSupplier givenUp) {
        while (!givenUp.getAsBoolean()) {
            try {
                hashes.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
                return;
            } catch (TimeoutException e) {
                // Not yet.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (ExecutionException e) {
                if (e.getCause() instanceof RuntimeException failure) {
                    throw failure;
                }
                throw new IllegalStateException(e);
            }
        }
    }
}
