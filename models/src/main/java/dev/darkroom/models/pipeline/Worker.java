package dev.darkroom.models.pipeline;

import dev.darkroom.common.FullHeap;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Threads;

import org.jspecify.annotations.Nullable;

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
    /** The worker whose thread this is. */
    private static final ThreadLocal<@Nullable Worker> CURRENT = new ThreadLocal<>();

    /** Guards who waits for whom. */
    private static final Object WAITS = new Object();

    private final ExecutorService thread;
    private final int nativeThreads;

    /** Whether its thread has its number of native threads; used on that thread alone. */
    private boolean hasThreads;

    /** Whom this worker's job waits for. */
    private @Nullable Worker awaited;

    /**
     * @param nativeThreads that an operator may use; 0 for libtorch's choice
     */
    Worker(String name, int nativeThreads) {
        this.nativeThreads = nativeThreads;
        thread =
                Executors.newSingleThreadExecutor(
                        task ->
                                Thread.ofPlatform()
                                        .daemon()
                                        .name(name)
                                        .unstarted(
                                                () -> {
                                                    CURRENT.set(this);
                                                    hasThreads = false;
                                                    task.run();
                                                }));
    }

    /**
     * Runs a job and waits for it. An interrupt of the caller sets {@code cancelled}, which the job
     * looks at, and the wait goes on until the job has ended. What the job leaves on the thread, a
     * mode or a scope, is undone.
     *
     * @throws IllegalStateException if the worker is closed, or a job of its own asks
     */
    <T> T run(Callable<T> job, AtomicBoolean cancelled) {
        try (var waiting = new Waiting(this)) {
            return await(
                    () -> {
                        setThreads();
                        return ForeignCode.call(job::call);
                    },
                    cancelled);
        }
    }

    /**
     * Before this thread's first job and not as it begins: the executor would wait for ever for a
     * thread that fails then.
     */
    private void setThreads() {
        if (nativeThreads > 0 && !hasThreads) {
            Threads.set(nativeThreads);
            hasThreads = true;
        }
    }

    private <T> T await(Callable<T> job, AtomicBoolean cancelled) {
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
        FullHeap.rethrow(failure);
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

    /**
     * Ends after the job in progress; jobs that wait fail. Where Java's heap is full the thread
     * ends when this is collected.
     *
     * @throws IllegalStateException if a job of this worker asks
     */
    @Override
    public void close() {
        try (var waiting = new Waiting(this)) {
            thread.shutdownNow()
                    .forEach(
                            waitingJob -> {
                                if (waitingJob instanceof Future<?> future) {
                                    future.cancel(false);
                                }
                            });
            thread.close();
        } catch (OutOfMemoryError e) {
            // thrown on, it would hide what filled the heap: a try closes a pipeline with it
        }
    }

    /** The time in which the calling thread, maybe another worker's, waits for a worker. */
    private static final class Waiting implements AutoCloseable {
        private final @Nullable Worker waiter = CURRENT.get();

        /**
         * @throws IllegalStateException if the worker waits for the caller, so that both would for
         *     ever
         */
        Waiting(Worker worker) {
            synchronized (WAITS) {
                for (Worker next = worker; next != null; next = next.awaited) {
                    if (next == waiter) {
                        throw new IllegalStateException(
                                "a pipeline can't be asked or closed by its own monitor, which it"
                                        + " waits for; do that when sample has returned, or on"
                                        + " another thread");
                    }
                }
                if (waiter != null) {
                    waiter.awaited = worker;
                }
            }
        }

        @Override
        public void close() {
            synchronized (WAITS) {
                if (waiter != null) {
                    waiter.awaited = null;
                }
            }
        }
    }
}
