package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.Picture;

/**
 * Scales pictures, one dimension after the other, with a triangle as wide as an output pixel, at
 * least as an input pixel: bilinear interpolation when enlarging, without aliasing when reducing.
 * Written out here since Java2D's results differ between systems.
 */
final class Resampling {
    private static final int WHITE = 255;

    /**
     * A part of a picture, in its pixels; it may jut out.
     *
     * @param left distance from the picture's left side, negative if it juts out there
     * @param top distance from the picture's upper side
     */
    record Window(double left, double top, double width, double height) {}

    /** Tells for each output position which inputs count how much; all else of the 1 is white. */
    private record Taps(int[] first, float[][] weights) {
        /**
         * @param inputs how many there are
         * @param start of the window
         * @param length of the window
         * @param outputs in the window
         */
        static Taps of(int inputs, double start, double length, int outputs) {
            double step = length / outputs;
            double reach = Math.max(step, 1);
            var first = new int[outputs];
            var weights = new float[outputs][];
            for (int i = 0; i < outputs; i++) {
                double centre = start + (i + 0.5) * step;
                int from = (int) Math.floor(centre - reach);
                int to = (int) Math.ceil(centre + reach);
                double sum = 0;
                var all = new double[to - from];
                for (int j = from; j < to; j++) {
                    double weight = 1 - Math.abs(j + 0.5 - centre) / reach;
                    all[j - from] = Math.max(weight, 0);
                    sum += all[j - from];
                }
                // Half a pixel beside the picture, its edge goes on: no seam where nothing juts out
                boolean inside = centre >= 0 && centre <= inputs;
                int begin = Math.clamp(from, 0, inputs);
                int end = Math.clamp(to, begin, inputs);
                first[i] = begin;
                weights[i] = new float[end - begin];
                double kept = 0;
                for (int j = begin; j < end; j++) {
                    kept += all[j - from];
                }
                double whole = inside ? kept : sum;
                for (int j = begin; j < end; j++) {
                    weights[i][j - begin] = (float) (all[j - from] / whole);
                }
            }
            return new Taps(first, weights);
        }
    }

    private Resampling() {}

    /**
     * Returns the part of a picture in a window, at another size; white where the window juts out.
     */
    static Picture resample(Picture picture, Window window, int width, int height) {
        Taps across = Taps.of(picture.width(), window.left, window.width, width);
        Taps down = Taps.of(picture.height(), window.top, window.height, height);
        byte[] from = picture.rgb();
        var narrow = new float[3 * width * picture.height()];
        for (int y = 0, at = 0; y < picture.height(); y++) {
            int row = 3 * y * picture.width();
            for (int x = 0; x < width; x++) {
                float[] weights = across.weights[x];
                float red = 0;
                float green = 0;
                float blue = 0;
                float rest = 1;
                for (int k = 0, i = row + 3 * across.first[x]; k < weights.length; k++, i += 3) {
                    red += weights[k] * (from[i] & 0xff);
                    green += weights[k] * (from[i + 1] & 0xff);
                    blue += weights[k] * (from[i + 2] & 0xff);
                    rest -= weights[k];
                }
                narrow[at++] = red + rest * WHITE;
                narrow[at++] = green + rest * WHITE;
                narrow[at++] = blue + rest * WHITE;
            }
        }
        var rgb = new byte[3 * width * height];
        for (int y = 0, at = 0; y < height; y++) {
            float[] weights = down.weights[y];
            for (int x = 0; x < 3 * width; x++, at++) {
                float value = 0;
                float rest = 1;
                for (int k = 0; k < weights.length; k++) {
                    value += weights[k] * narrow[(down.first[y] + k) * 3 * width + x];
                    rest -= weights[k];
                }
                rgb[at] = (byte) Math.clamp(Math.round(value + rest * WHITE), 0, 255);
            }
        }
        return new Picture(width, height, rgb);
    }
}
