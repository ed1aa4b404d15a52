package dev.darkroom.models.family;

/**
 * A filter that pictures are scaled by. Planes of bytes become what Pillow makes of them, to the
 * byte: rows first, which Pillow 13 does not where a picture gets wider and lower.
 */
public enum Resampling {
    /** Pillow's {@code LANCZOS}: a sinc in the window of a wider one. */
    LANCZOS(3) {
        @Override
        double weight(double x) {
            return x >= -support && x < support ? sinc(x) * sinc(x / support) : 0;
        }
    },

    /** Pillow's {@code BICUBIC}: Keys' cubic convolution (1981) with a = −½. */
    BICUBIC(2) {
        @Override
        double weight(double x) {
            double far = Math.abs(x);
            if (far < 1) {
                return ((A + 2) * far - (A + 3)) * far * far + 1;
            }
            return far < support ? (((far - 5) * far + 8) * far - 4) * A : 0;
        }
    };

    private static final double A = -0.5;

    /** Pillow's fixed-point weights have so many bits behind the point. */
    private static final int BITS = 22;

    /**
     * Which inputs an output position is made of, from {@code first} on, by fixed-point weights.
     */
    private record Taps(int[] first, int[][] weights) {
        static Taps of(Resampling filter, int inputs, int outputs) {
            double scale = (double) inputs / outputs;
            double wide = Math.max(scale, 1);
            double reach = filter.support * wide;
            var first = new int[outputs];
            var weights = new int[outputs][];
            for (int i = 0; i < outputs; i++) {
                double centre = (i + 0.5) * scale;
                int from = Math.max((int) (centre - reach + 0.5), 0);
                int to = Math.min((int) (centre + reach + 0.5), inputs);
                var exact = new double[to - from];
                double sum = 0;
                for (int j = 0; j < exact.length; j++) {
                    exact[j] = filter.weight((j + from - centre + 0.5) / wide);
                    sum += exact[j];
                }
                first[i] = from;
                weights[i] = new int[exact.length];
                for (int j = 0; j < exact.length; j++) {
                    double weight = exact[j] / sum * (1 << BITS);
                    weights[i][j] = (int) (weight + Math.copySign(0.5, weight));
                }
            }
            return new Taps(first, weights);
        }
    }

    /** How far it reaches to each side, in pixels of what is larger. */
    final int support;

    Resampling(int support) {
        this.support = support;
    }

    /** The filter's value. */
    abstract double weight(double x);

    private static double sinc(double x) {
        return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
    }

    /**
     * Scales a plane, its rows first.
     *
     * @param plane of a size, row by row
     */
    byte[] scaled(byte[] plane, Size from, Size to) {
        byte[] rows = plane;
        if (from.width() != to.width()) {
            rows = across(rows, from.height(), from.width(), to.width());
        }
        return from.height() == to.height()
                ? rows
                : down(rows, to.width(), from.height(), to.height());
    }

    private byte[] across(byte[] from, int rows, int inputs, int outputs) {
        Taps taps = Taps.of(this, inputs, outputs);
        var to = new byte[outputs * rows];
        for (int y = 0, at = 0; y < rows; y++) {
            for (int x = 0; x < outputs; x++) {
                to[at++] = sum(from, y * inputs + taps.first[x], 1, taps.weights[x]);
            }
        }
        return to;
    }

    private byte[] down(byte[] from, int columns, int inputs, int outputs) {
        Taps taps = Taps.of(this, inputs, outputs);
        var to = new byte[columns * outputs];
        for (int y = 0, at = 0; y < outputs; y++) {
            for (int x = 0; x < columns; x++) {
                to[at++] = sum(from, taps.first[y] * columns + x, columns, taps.weights[y]);
            }
        }
        return to;
    }

    private static byte sum(byte[] from, int first, int step, int[] weights) {
        int sum = 1 << (BITS - 1);
        for (int i = 0, at = first; i < weights.length; i++, at += step) {
            sum += (from[at] & 0xff) * weights[i];
        }
        return (byte) Math.clamp(sum >> BITS, 0, 255);
    }
}
