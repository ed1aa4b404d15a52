package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.Threads;

import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The platform thread that a pipeline computes on. libtorch gives each thread that computes a team
 * of native threads of its own, so one thread does all the work, whoever asks for it.
 */
final class Worker implements AutoCloseable {
    private final ExecutorService thread;

    /**
     * @param nativeThreads that an operator may use; 0 for libtorch's choice
     */
    Worker(String name, int nativeThreads) {
        thread =
                Executors.newSingleThreadExecutor(
                        task ->
                                Thread.ofPlatform()
                                        .daemon()
                                        .name(name)
                                        .unstarted(
                                                () -> {
                                                    if (nativeThreads > 0) {
                                                        Threads.set(nativeThreads);
                                                    }
                                                    task.run();
                                                }));
    }

    /**
     * Runs a job and waits for it. An interrupt of the caller sets {@code cancelled}, which the job
     * looks at, and the wait goes on until the job has ended.
     */
    <T> T run(Callable<T> job, AtomicBoolean cancelled) {
        Future<T> future;
        try {
            future = thread.submit(job);
        } catch (RejectedExecutionException e) {
            throw new IllegalStateException("the pipeline is closed", e);
        }
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                    cancelled.set(true);
                }
            }
        } catch (ExecutionException e) {
            throw rethrown(e);
        } catch (CancellationException e) {
            throw new IllegalStateException(
                    "the pipeline was closed before this request's turn", e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** What the job threw, with a trace of both threads. */
    private static RuntimeException rethrown(ExecutionException failure) {
        Throwable cause = failure.getCause();
        if (cause != null) {
            cause.addSuppressed(new Throwable("asked for here"));
        }
        if (cause instanceof RuntimeException e) {
            return e;
        }
        if (cause instanceof Error e) {
            throw e;
        }
        return new PipelineException(String.valueOf(failure.getMessage()), failure);
    }

    /** Ends after the job in progress; jobs that wait fail. */
    @Override
    public void close() {
        thread.shutdownNow()
                .forEach(
                        waiting -> {
                            if (waiting instanceof Future<?> future) {
                                future.cancel(false);
                            }
                        });
        thread.close();
    }
}
