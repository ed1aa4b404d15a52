package dev.darkroom.recipe.data;

/**
 * A colour in CIELAB (CIE 15:2004, white point D65), where distances are about as large as they
 * look.
 *
 * @param l lightness, 0 to 100
 * @param a from green to red
 * @param b from blue to yellow
 */
public record Lab(double l, double a, double b) {
    private static final double[] LINEAR = new double[256];
    private static final double XN = 0.95047;
    private static final double ZN = 1.08883;
    private static final double EPSILON = 216.0 / 24389;
    private static final double KAPPA = 24389.0 / 27;

    static {
        for (int i = 0; i < LINEAR.length; i++) {
            double v = i / 255.0;
            LINEAR[i] = v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
        }
    }

    /** The colour of an sRGB pixel, {@code 0xRRGGBB}; higher bits don't matter. */
    public static Lab of(int rgb) {
        double r = LINEAR[rgb >> 16 & 0xff];
        double g = LINEAR[rgb >> 8 & 0xff];
        double b = LINEAR[rgb & 0xff];
        double x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / XN);
        double y = f(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
        double z = f((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / ZN);
        return new Lab(116 * y - 16, 500 * (x - y), 200 * (y - z));
    }

    /** A colour by lightness, chroma and hue in radians. */
    public static Lab ofHue(double lightness, double chroma, double hue) {
        return new Lab(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
    }

    /** Returns how far the colour is from gray. */
    public double chroma() {
        return Math.hypot(a, b);
    }

    /** The hue in radians, -π to π. */
    public double hue() {
        return Math.atan2(b, a);
    }

    /** Euclidean distance, ΔE of 1976; about 2 is just noticeable. */
    public double distance(Lab other) {
        return Math.sqrt(squaredDistance(other, 1));
    }

    /** The squared distance, with the difference in lightness counted {@code weight} times. */
    public double squaredDistance(Lab other, double weight) {
        double dl = weight * (l - other.l);
        double da = a - other.a;
        double db = b - other.b;
        return dl * dl + da * da + db * db;
    }

    /** This colour and another, mixed; {@code share} of the other. */
    public Lab mix(Lab other, double share) {
        return new Lab(
                l + share * (other.l - l), a + share * (other.a - a), b + share * (other.b - b));
    }

    /** The sRGB pixel {@code 0xRRGGBB}; a colour that sRGB lacks is made paler until it fits. */
    public int rgb() {
        double paler = 1;
        double[] linear = linear(1);
        while (!fits(linear) && paler > 0.02) {
            paler *= 0.95;
            linear = linear(paler);
        }
        return channel(linear[0]) << 16 | channel(linear[1]) << 8 | channel(linear[2]);
    }

    private double[] linear(double paler) {
        double y = (l + 16) / 116;
        double x = XN * inverse(y + paler * a / 500);
        double z = ZN * inverse(y - paler * b / 200);
        y = inverse(y);
        return new double[] {
            3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
            -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
            0.0556434 * x - 0.2040259 * y + 1.0572252 * z
        };
    }

    private static boolean fits(double[] linear) {
        for (double v : linear) {
            if (v < -0.001 || v > 1.001) {
                return false;
            }
        }
        return true;
    }

    private static int channel(double linear) {
        double v = Math.clamp(linear, 0, 1);
        double s = v <= 0.0031308 ? 12.92 * v : 1.055 * Math.pow(v, 1 / 2.4) - 0.055;
        return (int) Math.round(255 * s);
    }

    private static double f(double t) {
        return t > EPSILON ? Math.cbrt(t) : (KAPPA * t + 16) / 116;
    }

    private static double inverse(double f) {
        double cube = f * f * f;
        return cube > EPSILON ? cube : (116 * f - 16) / KAPPA;
    }
}
