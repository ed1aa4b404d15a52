package dev.darkroom.cli;

import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.StepReport;
import dev.darkroom.training.run.Trainer;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;

/**
 * Tells how a training run goes, and lets Ctrl-C end it with a checkpoint: the JVM goes down when
 * this is closed.
 */
final class TrainProgress implements RunListener, AutoCloseable {
    /** Between two lines. */
    static final Duration EVERY = Duration.ofSeconds(30);

    /** A step's share in the loss that is shown; a single one tells little. */
    private static final double SHARE = 0.05;

    /** How it is shown. */
    enum Display {
        /** A bar, for a terminal. */
        BAR,
        /** A line every now and then, for a log. */
        LINES,
        /** Nothing but warnings. */
        WARNINGS;

        /** What suits standard error. */
        static Display of(boolean quiet) {
            return quiet ? WARNINGS : Terminal.isStderr() ? BAR : LINES;
        }
    }

    private final PrintWriter err;
    private final Display display;
    private final LongSupplier nanoTime;
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final Path folder;
    private final Progress encoding;
    private final Progress bar;
    private final CtrlC ctrlC;
    private @Nullable Long lastLine;
    private double loss;
    private double weight;

    /**
     * @param folder of the run, where its loss is drawn with each checkpoint
     */
    TrainProgress(PrintWriter err, Display display, Path folder) {
        this(err, display, folder, System::nanoTime);
    }

    /**
     * @param nanoTime a clock; for tests
     */
    TrainProgress(PrintWriter err, Display display, Path folder, LongSupplier nanoTime) {
        this.err = err;
        this.display = display;
        this.folder = folder;
        this.nanoTime = nanoTime;
        encoding = new Progress("encoding", err);
        bar = new Progress("step", err);
        ctrlC = new CtrlC(this::stop, "saving and stopping when this step is done", err);
    }

    /** Asks the run to save and stop. From any thread. */
    void stop() {
        stopping.set(true);
    }

    @Override
    public boolean isStopping() {
        return stopping.get();
    }

    @Override
    public void prepared(long done, long of) {
        if (display == Display.BAR) {
            encoding.show(done, of);
        } else if (display == Display.LINES && isDue(done == of)) {
            err.printf(Locale.ROOT, "encoded %,d of %,d%n", done, of);
            err.flush();
        }
    }

    /** Whether it is time for another line, or one must not be left out. */
    private boolean isDue(boolean always) {
        long now = nanoTime.getAsLong();
        Long last = lastLine;
        if (last != null && now - last < EVERY.toNanos() && !always) {
            return false;
        }
        lastLine = now;
        return true;
    }

    @Override
    public void stepped(StepReport report) {
        Double value = report.loss();
        if (value != null) {
            loss += SHARE * (value - loss);
            weight += SHARE * (1 - weight);
        }
        switch (display) {
            case BAR -> bar.show(report.step(), report.steps(), note(report, "/s"));
            case LINES -> line(report);
            case WARNINGS -> {}
        }
    }

    /** The first step and the last, and in between no more often than {@link #EVERY}. */
    private void line(StepReport report) {
        if (isDue(report.step() == report.steps())) {
            err.printf(
                    Locale.ROOT,
                    "step %,d of %,d, %s%n",
                    report.step(),
                    report.steps(),
                    note(report, " samples/s"));
            err.flush();
        }
    }

    /**
     * @param perSecond what follows the number of samples; short beside a bar, which needs room
     */
    private String note(StepReport report, String perSecond) {
        String mean = weight == 0 ? "no loss yet" : "loss " + LossChart.number(loss / weight, 3);
        String skipped =
                report.skipped() == 0
                        ? ""
                        : String.format(Locale.ROOT, ", %,d skipped", report.skipped());
        return String.format(
                Locale.ROOT,
                "%s, %s%s, %s left%s",
                mean,
                LossChart.number(report.samplesPerSecond(), 3),
                perSecond,
                time(report.secondsLeft()),
                skipped);
    }

    /** A time in its two largest units. */
    static String time(double seconds) {
        long all = Math.round(seconds);
        if (all < 60) {
            return all + " s";
        }
        if (all < 3600) {
            return all / 60 + " min " + all % 60 + " s";
        }
        long minutes = all / 60;
        return minutes < 24 * 60
                ? minutes / 60 + " h " + minutes % 60 + " min"
                : minutes / (24 * 60) + " d " + minutes / 60 % 24 + " h";
    }

    @Override
    public void resumed(long step) {
        if (display != Display.WARNINGS) {
            bar.println(String.format(Locale.ROOT, "resumed from step %,d", step));
        }
    }

    @Override
    public void finished(long steps) {
        if (display != Display.WARNINGS) {
            bar.println(
                    String.format(Locale.ROOT, "finished before: all %,d steps are taken", steps));
        }
    }

    @Override
    public void saved(long step) {
        if (!isStopping()) {
            draw(); // Java2D does not begin to in a JVM that is going down
        } else if (display != Display.WARNINGS) {
            bar.println(
                    String.format(
                            Locale.ROOT,
                            "saved at step %,d; the same command goes on from there",
                            step));
        }
    }

    private void draw() {
        Path log = Trainer.log(folder);
        try {
            LossChart.write(log, log.resolveSibling("loss.png"));
        } catch (IOException e) {
            warned("the loss is not drawn: " + e.getMessage());
        }
    }

    @Override
    public void warned(String warning) {
        bar.println("warning: " + warning + ".");
    }

    @Override
    public void close() {
        encoding.close();
        bar.close();
        ctrlC.close();
    }
}
