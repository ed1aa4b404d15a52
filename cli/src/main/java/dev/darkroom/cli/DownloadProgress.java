package dev.darkroom.cli;

import dev.darkroom.common.ByteSize;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.RemoteFile;
import dev.darkroom.models.checkpoint.LoadListener;

import org.jspecify.annotations.Nullable;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/** Tells how a download goes. */
final class DownloadProgress implements LoadListener, AutoCloseable {
    private static final long KIB = 1024;

    private final PrintWriter err;
    private final TrainProgress.Display display;
    private final LongSupplier nanoTime;
    private final BooleanSupplier cancelled;
    private final dev.darkroom.cli.Progress bar;
    private long start;
    private @Nullable Long before;
    private long lastLine;

    /**
     * @param quiet whether nothing but warnings is printed
     * @param cancelled whether the download shall end, so that it can go on later
     */
    DownloadProgress(PrintWriter err, boolean quiet, BooleanSupplier cancelled) {
        this(
                err,
                TrainProgress.Display.of(quiet || HubOptions.hidesProgress(System.getenv())),
                cancelled,
                System::nanoTime);
    }

    /**
     * @param nanoTime a clock; for tests
     */
    DownloadProgress(
            PrintWriter err,
            TrainProgress.Display display,
            BooleanSupplier cancelled,
            LongSupplier nanoTime) {
        this.err = err;
        this.display = display;
        this.cancelled = cancelled;
        this.nanoTime = nanoTime;
        bar = new dev.darkroom.cli.Progress("downloading", err);
    }

    @Override
    public void starts(List<RemoteFile> files, long bytes) {
        start = nanoTime.getAsLong();
        lastLine = start;
        if (display == TrainProgress.Display.LINES && !files.isEmpty()) {
            err.printf(
                    Locale.ROOT,
                    "downloading %,d %s, %s%n",
                    files.size(),
                    files.size() == 1 ? "file" : "files",
                    ByteSize.format(bytes));
        }
    }

    @Override
    public void progresses(Progress progress) {
        long now = nanoTime.getAsLong();
        if (before == null) {
            before = progress.totalBytes();
        }
        if (display == TrainProgress.Display.BAR) {
            bar.show(kib(progress.totalBytes()), kib(progress.totalSize()), note(progress, now));
        } else if (display == TrainProgress.Display.LINES
                && now - lastLine >= TrainProgress.EVERY.toNanos()) {
            lastLine = now;
            err.println(note(progress, now));
        }
    }

    private static long kib(long bytes) {
        return (bytes + KIB - 1) / KIB;
    }

    private String note(Progress progress, long now) {
        String come =
                ByteSize.format(progress.totalBytes())
                        + " of "
                        + ByteSize.format(progress.totalSize());
        double seconds = (now - start) / 1e9;
        Long earlier = before;
        long since = progress.totalBytes() - (earlier == null ? 0 : earlier);
        if (seconds < 1 || since <= 0) {
            return come;
        }
        double rate = since / seconds;
        return come
                + ", "
                + ByteSize.format((long) rate)
                + "/s, "
                + TrainProgress.time((progress.totalSize() - progress.totalBytes()) / rate)
                + " left";
    }

    @Override
    public void warns(String message) {
        bar.println("warning: " + message + ".");
    }

    @Override
    public boolean isCancelled() {
        return cancelled.getAsBoolean();
    }

    @Override
    public void close() {
        bar.close();
    }
}
