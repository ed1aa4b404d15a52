package dev.darkroom.cli;

import dev.darkroom.models.training.run.RunListener;
import dev.darkroom.models.training.run.StepReport;

import org.jspecify.annotations.Nullable;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tells how a run goes: a line that is written over on a terminal, else a line now and then. Ctrl-C
 * lets the run save and stop.
 */
final class TrainProgress implements RunListener, AutoCloseable {
    private static final Duration ON_A_TERMINAL = Duration.ofMillis(500);
    private static final Duration ELSEWHERE = Duration.ofSeconds(30);

    private final PrintWriter err;
    private final boolean quiet;
    private final boolean terminal;
    private final int width = Terminal.width() - 1;
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final CtrlC ctrlC;
    private long shown;
    private boolean lineOpen;

    /**
     * @param quiet whether only warnings are told
     * @param terminal whether lines can be written over
     */
    TrainProgress(PrintWriter err, boolean quiet, boolean terminal) {
        this.err = err;
        this.quiet = quiet;
        this.terminal = terminal;
        shown = System.nanoTime() - interval();
        ctrlC = new CtrlC(() -> stopping.set(true), "this step is done and saved", err);
    }

    private long interval() {
        return (terminal ? ON_A_TERMINAL : ELSEWHERE).toNanos();
    }

    @Override
    public void prepared(long done, long of) {
        show("encoded %d of %d pictures".formatted(done, of), done == of);
    }

    @Override
    public void stepped(StepReport report) {
        boolean last = report.step() == report.steps();
        show(
                "step %d of %d  loss %s  %.1f samples/s  %s left%s"
                        .formatted(
                                report.step(),
                                report.steps(),
                                loss(report.loss()),
                                report.samplesPerSecond(),
                                duration(report.secondsLeft()),
                                report.skipped() == 0 ? "" : "  " + report.skipped() + " skipped"),
                last);
    }

    private static String loss(@Nullable Double loss) {
        return loss == null ? "not finite" : String.format(Locale.ROOT, "%.4f", loss);
    }

    /** Such as {@code 1:05:09} or {@code 5:09}. */
    static String duration(double seconds) {
        long whole = Math.round(seconds);
        long hours = whole / 3600;
        return hours > 0
                ? "%d:%02d:%02d".formatted(hours, whole / 60 % 60, whole % 60)
                : "%d:%02d".formatted(whole / 60, whole % 60);
    }

    @Override
    public void resumed(long step) {
        tell("goes on from step " + step, !quiet);
    }

    @Override
    public void warned(String warning) {
        tell("warning: " + warning + ".", true);
    }

    @Override
    public boolean isStopping() {
        return stopping.get();
    }

    /**
     * @param always whether the line is not left out for coming soon after another
     */
    private void show(String line, boolean always) {
        long now = System.nanoTime();
        if (quiet || (now - shown < interval() && !always)) {
            return;
        }
        shown = now;
        if (terminal) {
            String cut = line.length() > width ? line.substring(0, width) : line;
            err.print("\r" + cut + " ".repeat(width - cut.length()));
            lineOpen = true;
        } else {
            err.println(line);
        }
        err.flush();
    }

    private void tell(String line, boolean shows) {
        if (shows) {
            endLine();
            err.println(line);
            err.flush();
        }
    }

    /** Leaves the last line as it is. */
    void endLine() {
        if (lineOpen) {
            err.println();
            err.flush();
            lineOpen = false;
        }
    }

    /** Lets a JVM that is going down go. */
    @Override
    public void close() {
        endLine();
        ctrlC.close();
    }
}
