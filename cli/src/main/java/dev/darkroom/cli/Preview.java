package dev.darkroom.cli;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.PipelineException;

import java.io.PrintWriter;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Shows estimates on a terminal, each in the place of the one before. Where they take long to make,
 * some are left out, so that a run takes at most a quarter longer, and the last of them.
 */
final class Preview {
    /** For how many times as long as a preview took there is no other one. */
    private static final int PAUSE = 4;

    private static final int MOST_ROWS = 20;

    /** Lines that stay for the progress and what was said before. */
    private static final int OTHER_LINES = 4;

    private final TerminalImages images;
    private final PrintWriter out;
    private final int width;
    private final int height;
    private final LongSupplier clock;
    private int shownRows;
    private long due;
    private boolean failed;

    /**
     * @param width columns of the terminal
     * @param height lines of the terminal
     */
    Preview(TerminalImages images, PrintWriter out, int width, int height) {
        this(images, out, width, height, System::nanoTime);
    }

    Preview(TerminalImages images, PrintWriter out, int width, int height, LongSupplier clock) {
        this.images = images;
        this.out = out;
        this.width = width;
        this.height = height;
        this.clock = clock;
        due = clock.getAsLong();
    }

    /**
     * Whether the next estimate is shown.
     *
     * @param isLast whether no other one follows; that one stays on the screen
     */
    boolean isDue(boolean isLast) {
        return !failed && (isLast || clock.getAsLong() - due >= 0);
    }

    /**
     * Makes the estimates of a batch and shows them side by side, as many as fit. Where they can't
     * be made, such as for lack of memory, that is said, and the run goes on without.
     */
    void show(Supplier<List<Picture>> estimates) {
        long begin = clock.getAsLong();
        try {
            show(estimates.get());
        } catch (PipelineException e) {
            failed = true;
            out.println("warning: no preview: " + e.getMessage());
        }
        long end = clock.getAsLong();
        due = end + PAUSE * (end - begin);
    }

    private void show(List<Picture> pictures) {
        Picture one = pictures.getFirst();
        int rows = Math.clamp(height - OTHER_LINES, 1, MOST_ROWS);
        int columns = cells(2.0 * rows * one.width() / one.height()); // twice as high as wide
        if (columns >= width) {
            columns = width - 1;
            rows = Math.min(rows, cells(columns * (double) one.height() / one.width() / 2));
        }
        int across = Math.clamp((width - 1) / columns, 1, pictures.size());
        Raster raster = Raster.tiled(pictures.subList(0, across), across);
        if (shownRows > 0) {
            out.print(TerminalImages.up(shownRows));
        }
        out.print(images.drawn(raster, across * columns, rows));
        out.flush();
        shownRows = rows;
    }

    private static int cells(double count) {
        return (int) Math.max(1, Math.round(count));
    }
}
