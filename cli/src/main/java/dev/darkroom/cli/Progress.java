package dev.darkroom.cli;

import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

import org.jspecify.annotations.Nullable;

import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.time.Duration;

/** A bar of one line that is gone when it is closed. */
final class Progress implements AutoCloseable {
    private final String task;
    private final PrintWriter err;
    private final int width = Terminal.width() - 1;
    private @Nullable ProgressBar bar;

    /**
     * @param task what is done, such as sampling
     */
    Progress(String task, PrintWriter err) {
        this.task = task;
        this.err = err;
    }

    /** Shows how much is done; the bar appears with the first of it. */
    void show(long done, long total) {
        show(bar == null ? builder(total).build() : bar, done, total);
    }

    /**
     * Shows how much is done of what may have begun in another process.
     *
     * @param note what to say of it, in place of the bar's own guess of the time left
     */
    void show(long done, long total, String note) {
        // Continuously, or the library may miss the first step, and wait for the next one.
        ProgressBar shown = bar == null ? builder(total).hideEta().continuousUpdate().build() : bar;
        shown.setExtraMessage(note);
        show(shown, done, total);
    }

    private void show(ProgressBar shown, long done, long total) {
        bar = shown;
        shown.stepTo(done);
        if (done == total) {
            close();
        }
    }

    /** Takes the bar away and prints a line; the bar comes back when there is more to show. */
    void println(String line) {
        close();
        err.println(line);
    }

    private ProgressBarBuilder builder(long total) {
        boolean unicode =
                Charset.forName(System.getProperty("stderr.encoding", "UTF-8"))
                        .newEncoder()
                        .canEncode('█');
        // The consumer is our own: the library's would look for a terminal through JNI.
        return new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(total)
                .setStyle(unicode ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis((int) Duration.ofMillis(200).toMillis())
                .setConsumer(
                        new DelegatingProgressBarConsumer(
                                line -> {
                                    err.print("\r" + line);
                                    err.flush();
                                },
                                width));
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
            err.print("\r" + " ".repeat(width) + "\r");
            err.flush();
        }
    }
}
