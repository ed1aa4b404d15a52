package dev.darkroom.hub;

import org.jspecify.annotations.Nullable;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The body of an answer, which fails where it stops, or comes so slowly that it never would end.
 */
final class GuardedStream extends FilterInputStream {
    private static final long BYTES_PER_SECOND = 1024;
    private static final long NOT_READING = Long.MAX_VALUE;

    private final long pause; // ns
    private final Future<?> watch;
    private volatile long readingSince = NOT_READING;
    private volatile boolean stopped;
    private long waited; // ns
    private long bytes;

    /**
     * Guards a stream until it is closed.
     *
     * @param timeout the longest pause; also over which the slowest rate is measured
     */
    GuardedStream(InputStream body, Duration timeout, ScheduledExecutorService watcher) {
        super(body);
        pause = timeout.toNanos();
        long every = Math.max(1, pause / 4);
        watch = watcher.scheduleWithFixedDelay(this::look, every, every, TimeUnit.NANOSECONDS);
    }

    private void look() {
        long since = readingSince;
        if (since != NOT_READING && System.nanoTime() - since > pause) {
            stopped = true;
            try {
                in.close();
            } catch (IOException e) {
                // The reader is told by the flag.
            }
        }
    }

    @Override
    public int read() throws IOException {
        var one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        long start = System.nanoTime();
        readingSince = start;
        int read;
        try {
            read = in.read(into, offset, length);
        } catch (IOException e) {
            throw stopped ? tooSlow(e) : e;
        } finally {
            readingSince = NOT_READING;
        }
        if (stopped) {
            throw tooSlow(null);
        }
        waited += System.nanoTime() - start;
        bytes += Math.max(0, read);
        if (waited > pause && read >= 0) {
            if (bytes < BYTES_PER_SECOND * waited / TimeUnit.SECONDS.toNanos(1)) {
                throw tooSlow(null);
            }
            waited = 0;
            bytes = 0;
        }
        return read;
    }

    private IOException tooSlow(@Nullable IOException cause) {
        return new IOException(
                "less than "
                        + BYTES_PER_SECOND
                        + " bytes a second came in "
                        + TimeUnit.NANOSECONDS.toSeconds(pause)
                        + " s",
                cause);
    }

    @Override
    public void close() throws IOException {
        watch.cancel(false);
        super.close();
    }
}
