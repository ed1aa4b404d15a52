package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Lab;

/**
 * What an object looks like, whatever its colour, size, place and background: a vector whose
 * squared distances are compared. It joins three views of the object, scaled to a common frame:
 *
 * <ul>
 *   <li>its outline: the mask in 24×24 cells;
 *   <li>its drawing: how strong edges inside the object are in six directions, in 8×8 cells, after
 *       Dalal and Triggs (2005), "Histograms of oriented gradients for human detection", with
 *       square roots, so that a change of contrast, as recolouring makes, matters little;
 *   <li>its shading: how light it is in 12×12 cells, against its own mean and spread.
 * </ul>
 */
final class Features {
    private static final int FRAME = 48;

    /** Samples in a row or column of a cell of the frame, which is two or three pixels wide. */
    private static final int SAMPLES = 3;

    private static final int OUTLINE = 24;
    private static final int DRAWING = 8;
    private static final int DIRECTIONS = 6;
    private static final int SHADING = 12;

    /** Length of the vector. */
    static final int LENGTH =
            OUTLINE * OUTLINE + DRAWING * DRAWING * DIRECTIONS + SHADING * SHADING;

    /** What the squared lengths of the three views come to. */
    private static final double OUTLINE_WEIGHT = 1;

    private static final double DRAWING_WEIGHT = 1;
    private static final double SHADING_WEIGHT = 0.35;

    /** Share of the object's mass that may lie outside its box at each side. */
    private static final double OUTSIDE = 0.004;

    /** Change of colour from pixel to pixel that is noise. */
    private static final double NOISE = 7;

    /** Sum of edges, as a share of the object's area, below which there is hardly a drawing. */
    private static final double FAINT = 4;

    /** Spread of lightness below which there is hardly any shading. */
    private static final double FLAT = 8;

    private final Cutout cutout;
    private final double[] l = new double[FRAME * FRAME];
    private final double[] a = new double[FRAME * FRAME];
    private final double[] b = new double[FRAME * FRAME];
    private final double[] mask = new double[FRAME * FRAME];

    private Features(Cutout cutout, double x, double y, double half) {
        this.cutout = cutout;
        int fine = FRAME * SAMPLES;
        for (int j = 0; j < fine; j++) {
            for (int i = 0; i < fine; i++) {
                sample(
                        x + half * ((2.0 * i + 1) / fine - 1),
                        y + half * ((2.0 * j + 1) / fine - 1),
                        j / SAMPLES * FRAME + i / SAMPLES);
            }
        }
    }

    /** The vector, of {@link #LENGTH}; all zero if there is no object. */
    static float[] of(Cutout cutout) {
        int side = cutout.side();
        var columns = new double[side];
        var rows = new double[side];
        double mass = 0;
        for (int i = 0; i < side * side; i++) {
            columns[i % side] += cutout.mask(i);
            rows[i / side] += cutout.mask(i);
            mass += cutout.mask(i);
        }
        var vector = new float[LENGTH];
        if (mass < 1) {
            return vector;
        }
        double left = quantile(columns, OUTSIDE * mass);
        double right = quantile(columns, (1 - OUTSIDE) * mass);
        double top = quantile(rows, OUTSIDE * mass);
        double bottom = quantile(rows, (1 - OUTSIDE) * mass);
        double half = 0.5 * Math.max(1, Math.max(right - left, bottom - top));
        var features =
                new Features(cutout, 0.5 * (left + right), 0.5 * (top + bottom), 1.04 * half);
        features.outline(vector, 0);
        features.drawing(vector, OUTLINE * OUTLINE);
        features.shading(vector, OUTLINE * OUTLINE + DRAWING * DRAWING * DIRECTIONS);
        return vector;
    }

    /** The place, in pixels from the edge, up to which the sums come to a mass. */
    private static double quantile(double[] sums, double mass) {
        double before = 0;
        for (int i = 0; i < sums.length; i++) {
            if (before + sums[i] >= mass && sums[i] > 0) {
                return i + (mass - before) / sums[i];
            }
            before += sums[i];
        }
        return sums.length;
    }

    /** Adds a bilinear sample of the picture at a place in pixels from its edges. */
    private void sample(double x, double y, int to) {
        int side = cutout.side();
        int x0 = (int) Math.floor(x - 0.5);
        int y0 = (int) Math.floor(y - 0.5);
        double fx = x - 0.5 - x0;
        double fy = y - 0.5 - y0;
        for (int i = 0; i < 4; i++) {
            double weight =
                    (i % 2 == 0 ? 1 - fx : fx) * (i / 2 == 0 ? 1 - fy : fy) / (SAMPLES * SAMPLES);
            int column = x0 + i % 2;
            int row = y0 + i / 2;
            boolean within = column >= 0 && row >= 0 && column < side && row < side;
            int at = Math.clamp(row, 0, side - 1) * side + Math.clamp(column, 0, side - 1);
            Lab pixel = cutout.pixel(at);
            l[to] += weight * pixel.l();
            a[to] += weight * pixel.a();
            b[to] += weight * pixel.b();
            mask[to] += within ? weight * cutout.mask(at) : 0;
        }
    }

    private void outline(float[] vector, int from) {
        double[] cells = means(mask, OUTLINE);
        put(cells, OUTLINE_WEIGHT, 1e-9, vector, from);
    }

    private void shading(float[] vector, int from) {
        double mass = 1e-9;
        double mean = 0;
        double square = 0;
        for (int i = 0; i < l.length; i++) {
            mass += mask[i];
            mean += mask[i] * l[i];
            square += mask[i] * l[i] * l[i];
        }
        mean /= mass;
        double spread = Math.sqrt(Math.max(0, square / mass - mean * mean));
        var light = new double[l.length];
        for (int i = 0; i < l.length; i++) {
            light[i] = mask[i] * (l[i] - mean) / (spread + FLAT);
        }
        // Of cells that are all one spread away from the mean the length would be 1.
        double[] cells = means(light, SHADING);
        double covered = Math.sqrt(mass / l.length) * SHADING;
        for (int i = 0; i < cells.length; i++) {
            vector[from + i] = (float) (Math.sqrt(SHADING_WEIGHT) * cells[i] / covered);
        }
    }

    private void drawing(float[] vector, int from) {
        var cells = new double[DRAWING * DRAWING * DIRECTIONS];
        double mass = 0;
        for (int y = 1; y < FRAME - 1; y++) {
            for (int x = 1; x < FRAME - 1; x++) {
                int at = y * FRAME + x;
                mass += mask[at];
                double inside =
                        Math.min(
                                Math.min(mask[at - 1], mask[at + 1]),
                                Math.min(mask[at - FRAME], mask[at + FRAME]));
                if (inside > 0.9) {
                    edge(at, x, y, cells);
                }
            }
        }
        double sum = FAINT * mass;
        for (double cell : cells) {
            sum += cell;
        }
        for (int i = 0; i < cells.length; i++) {
            vector[from + i] = (float) Math.sqrt(DRAWING_WEIGHT * cells[i] / sum);
        }
    }

    /** Adds the strongest edge of the three channels to the four nearest cells. */
    private void edge(int at, int x, int y, double[] cells) {
        double best = 0;
        double angle = 0;
        for (double[] channel : new double[][] {l, a, b}) {
            double dx = channel[at + 1] - channel[at - 1];
            double dy = channel[at + FRAME] - channel[at - FRAME];
            double strength = Math.hypot(dx, dy);
            if (strength > best) {
                best = strength;
                angle = Math.atan2(dy, dx);
            }
        }
        if (best <= NOISE) {
            return;
        }
        double turn = angle / Math.PI * DIRECTIONS + 2 * DIRECTIONS;
        int direction = (int) Math.floor(turn);
        double rest = turn - direction;
        double cell = (double) FRAME / DRAWING;
        double column = (x + 0.5) / cell - 0.5;
        double row = (y + 0.5) / cell - 0.5;
        int x0 = (int) Math.floor(column);
        int y0 = (int) Math.floor(row);
        for (int i = 0; i < 8; i++) {
            int cx = x0 + i % 2;
            int cy = y0 + i / 2 % 2;
            if (cx >= 0 && cy >= 0 && cx < DRAWING && cy < DRAWING) {
                double weight =
                        (1 - Math.abs(column - cx))
                                * (1 - Math.abs(row - cy))
                                * (i / 4 == 0 ? 1 - rest : rest);
                int bin = (direction + i / 4) % DIRECTIONS;
                cells[(cy * DRAWING + cx) * DIRECTIONS + bin] += weight * (best - NOISE);
            }
        }
    }

    /** The means of square cells of the frame. */
    private static double[] means(double[] frame, int cells) {
        int edge = FRAME / cells;
        var means = new double[cells * cells];
        for (int i = 0; i < frame.length; i++) {
            int cell = i / FRAME / edge * cells + i % FRAME / edge;
            means[cell] += frame[i] / (edge * edge);
        }
        return means;
    }

    private static void put(double[] cells, double weight, double least, float[] vector, int from) {
        double square = least;
        for (double cell : cells) {
            square += cell * cell;
        }
        double scale = Math.sqrt(weight / square);
        for (int i = 0; i < cells.length; i++) {
            vector[from + i] = (float) (scale * cells[i]);
        }
    }
}
