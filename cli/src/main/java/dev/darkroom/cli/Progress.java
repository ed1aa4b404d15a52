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
    private final PrintWriter err;
    private final int width = Terminal.width() - 1;
    private @Nullable ProgressBar bar;

    Progress(PrintWriter err) {
        this.err = err;
    }

    /** Shows how much is done; the bar appears with the first of it. */
    void show(long done, long total) {
        if (bar == null) {
            bar = bar(total);
        }
        bar.stepTo(done);
        if (done == total) {
            close();
        }
    }

    private ProgressBar bar(long total) {
        boolean unicode =
                Charset.forName(System.getProperty("stderr.encoding", "UTF-8"))
                        .newEncoder()
                        .canEncode('█');
        // The consumer is our own: the library's would look for a terminal through JNI.
        return new ProgressBarBuilder()
                .setTaskName("sampling")
                .setInitialMax(total)
                .setStyle(unicode ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis((int) Duration.ofMillis(200).toMillis())
                .setConsumer(
                        new DelegatingProgressBarConsumer(
                                line -> {
                                    err.print("\r" + line);
                                    err.flush();
                                },
                                width))
                .build();
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
