package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.training.run.Seeds;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads batches of pictures ahead of the step, on threads of its own. A batch depends on nothing
 * but the folder, the augmentation, the seed and its place: not on threads, and not on where the
 * run began. Not for use by several threads at once.
 */
public final class PictureLoader implements AutoCloseable {
    /** Tells these seeds from the ones of other uses. */
    private static final long USE = 0x6175676d656e74L;

    /**
     * How pictures are read.
     *
     * @param batchSize pictures in a batch
     * @param seed of order and augmentation
     * @param ahead batches that are read before they are asked for
     * @param threads that read
     * @param cacheBytes of decoded pictures, three for each pixel, that are kept for the next
     *     epoch; those that come later are decoded each time
     */
    public record Options(int batchSize, long seed, int ahead, int threads, long cacheBytes) {
        public Options {
            require(batchSize >= 1, "batchSize", batchSize);
            require(ahead >= 1, "ahead", ahead);
            require(threads >= 1, "threads", threads);
            require(cacheBytes >= 0, "cacheBytes", cacheBytes);
        }

        private static void require(boolean holds, String what, Number value) {
            if (!holds) {
                throw new IllegalArgumentException(what + " can't be " + value);
            }
        }
    }

    /**
     * What a sample is.
     *
     * @param index of the example
     * @param seed of its augmentation
     */
    record Sample(int index, long seed) {}

    /** Tells what a sample is, by its number. */
    @FunctionalInterface
    interface Plan {
        Sample at(long sample);
    }

    private final List<Example> examples;
    private final Augmentation augmentation;
    private final Options options;
    private final Plan plan;
    private final ExecutorService threads;
    private final List<Thread> started = new CopyOnWriteArrayList<>();
    private final ArrayDeque<Future<PictureBatch>> waiting = new ArrayDeque<>();
    private final Map<Integer, Picture> cache = new ConcurrentHashMap<>();
    private final AtomicLong cached = new AtomicLong();
    private long nextSample = -1;

    /**
     * Makes a loader that has not begun.
     *
     * @param examples at least one
     * @param augmentation must bring all pictures to one size
     */
    public PictureLoader(List<Example> examples, Augmentation augmentation, Options options) {
        this(examples, augmentation, options, shuffled(examples.size(), options.seed));
    }

    PictureLoader(List<Example> examples, Augmentation augmentation, Options options, Plan plan) {
        this.examples = List.copyOf(examples);
        this.augmentation = augmentation;
        this.options = options;
        this.plan = plan;
        ThreadFactory factory =
                Thread.ofPlatform().daemon().name("darkroom-pictures-", 0).factory();
        threads =
                Executors.newFixedThreadPool(
                        options.threads,
                        work -> {
                            Thread thread = factory.newThread(work);
                            started.add(thread);
                            return thread;
                        });
    }

    private static Plan shuffled(int size, long seed) {
        var order = new Order(size, seed);
        return sample -> new Sample(order.index(sample), Seeds.of(seed, USE, sample));
    }

    /**
     * Begins to read, or goes on elsewhere.
     *
     * @param firstSample the number of the next batch's first sample in the run
     * @throws IllegalStateException if the loader is closed
     */
    public void start(long firstSample) {
        if (firstSample < 0) {
            throw new IllegalArgumentException("samples are counted from 0, not " + firstSample);
        }
        requireOpen();
        cancel();
        nextSample = firstSample;
        while (waiting.size() < options.ahead) {
            readOneMore();
        }
    }

    private void readOneMore() {
        long first = nextSample;
        waiting.add(threads.submit(() -> read(first)));
        nextSample += options.batchSize;
    }

    /**
     * Returns the next batch, when it is read.
     *
     * @throws IOException if a picture can't be read, or two have different sizes; the next call
     *     says the same
     * @throws InterruptedIOException if the thread is interrupted; the next call gives the batch
     * @throws IllegalStateException before {@link #start} or after {@link #close}
     */
    public PictureBatch next() throws IOException {
        requireOpen();
        Future<PictureBatch> first = waiting.peek();
        if (first == null) {
            throw new IllegalStateException("the loader was not started");
        }
        try {
            PictureBatch batch = first.get();
            waiting.remove();
            readOneMore();
            return batch;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for pictures");
        } catch (ExecutionException e) {
            throw rethrown(e.getCause());
        }
    }

    /** Returns a failure of a reading thread, as one of the caller's. */
    private static IOException rethrown(@Nullable Throwable cause) {
        return switch (cause) {
            case Error e -> throw e;
            case DataException e -> e;
            case null, default -> new IOException(cause);
        };
    }

    // ---- On the reading threads ----

    private PictureBatch read(long firstSample) throws IOException {
        Picture first = picture(plan.at(firstSample));
        byte[] pixels = new byte[Math.multiplyExact(options.batchSize, first.rgb().length)];
        var batch = new ArrayList<Example>(options.batchSize);
        for (int i = 0; i < options.batchSize; i++) {
            if (Thread.interrupted()) {
                throw new InterruptedIOException("the loader was closed");
            }
            Sample sample = plan.at(firstSample + i);
            Example example = examples.get(sample.index);
            Picture picture = i == 0 ? first : picture(sample);
            if (picture.width() != first.width() || picture.height() != first.height()) {
                throw differing(batch.getFirst(), first, example, picture);
            }
            System.arraycopy(picture.rgb(), 0, pixels, i * first.rgb().length, first.rgb().length);
            batch.add(example);
        }
        return new PictureBatch(firstSample, batch, first.height(), first.width(), pixels);
    }

    private static DataException differing(
            Example example, Picture picture, Example other, Picture otherPicture) {
        return new DataException(
                other.file(),
                String.format(
                        Locale.ROOT,
                        "%d×%d pixels, but %s of the same batch has %d×%d; bring them to one size",
                        otherPicture.width(),
                        otherPicture.height(),
                        example.file(),
                        picture.width(),
                        picture.height()),
                null);
    }

    private Picture picture(Sample sample) throws IOException {
        Picture picture = cache.get(sample.index);
        if (picture == null) {
            picture = PictureFile.read(examples.get(sample.index).file());
            keep(sample.index, picture);
        }
        try {
            return augmentation.change().apply(picture, new SplittableRandom(sample.seed));
        } catch (IllegalArgumentException e) {
            throw new DataException(
                    examples.get(sample.index).file(), String.valueOf(e.getMessage()), e);
        }
    }

    private void keep(int index, Picture picture) {
        int bytes = picture.rgb().length;
        if (cached.addAndGet(bytes) > options.cacheBytes
                || cache.putIfAbsent(index, picture) != null) {
            cached.addAndGet(-bytes);
        }
    }

    // ---- The end ----

    private void requireOpen() {
        if (threads.isShutdown()) {
            throw new IllegalStateException("the loader is closed");
        }
    }

    private void cancel() {
        waiting.forEach(each -> each.cancel(true));
        waiting.clear();
    }

    /** Ends the threads and waits for that. Closing twice is allowed. */
    @Override
    public void close() {
        cancel();
        threads.shutdownNow();
        boolean interrupted = false;
        for (Thread thread : started) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        cache.clear();
    }
}
