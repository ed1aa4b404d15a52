package dev.darkroom.recipe.data;

import java.util.HashMap;
import java.util.Map;

/**
 * Gives objects other colours and keeps their shading: the pixels of the object's main colour move
 * to the hue, chroma and lightness of another, eyes, teeth, leaves and outlines stay as they are.
 */
final class Recolouring {
    /** Chroma from which art has a hue. */
    private static final double HAS_HUE = 14;

    /** Share of the object's pixels that must have its main colour. */
    private static final double LEAST_MAIN = 0.55;

    /** Share of the object's pixels that must have the new colour afterwards. */
    private static final double LEAST_MEASURED = 0.5;

    /** Edge of the cubes in which colours are counted to find the main one. */
    private static final double CUBE = 12;

    /** Black and white that leave room for shading. */
    private static final Lab BLACK = Lab.of(0x2d2d30);

    private static final Lab WHITE = Lab.of(0xf4f5f6);

    private final Art art;
    private final Lab main;
    private final double[] weights;
    private final boolean possible;

    Recolouring(Art art) {
        this.art = art;
        main = mainColour(art);
        weights = new double[art.argb().length];
        double sum = 0;
        int opaque = 0;
        for (int i = 0; i < weights.length; i++) {
            weights[i] = art.alpha(i) == 0 ? 0 : weight(Lab.of(art.argb()[i]));
            if (art.alpha(i) >= Art.OPAQUE) {
                sum += weights[i];
                opaque++;
            }
        }
        possible = sum >= LEAST_MAIN * opaque;
    }

    /** Whether one colour makes up most of the object. */
    boolean isPossible() {
        return possible;
    }

    /** Whether what {@link #to} makes is measured to have the colour. */
    static boolean isTrue(Art recoloured, Colour colour) {
        return Palette.shares(recoloured).getOrDefault(colour, 0.0) >= LEAST_MEASURED;
    }

    /** The object in another colour. */
    Art to(Colour colour) {
        Lab target =
                switch (colour) {
                    case BLACK -> BLACK;
                    case WHITE -> WHITE;
                    default -> colour.lab();
                };
        var pixels = art.argb().clone();
        for (int i = 0; i < pixels.length; i++) {
            if (weights[i] > 0) {
                Lab from = Lab.of(pixels[i]);
                Lab mixed = from.mix(shaded(from, target), weights[i]);
                pixels[i] = pixels[i] & 0xff000000 | mixed.rgb();
            }
        }
        return new Art(art.width(), art.height(), pixels);
    }

    /** The mean of the fullest cube of colours. */
    static Lab mainColour(Art art) {
        record Cube(long l, long a, long b) {}
        Map<Cube, double[]> cubes = new HashMap<>();
        for (int i = 0; i < art.argb().length; i++) {
            if (art.alpha(i) >= Art.OPAQUE) {
                Lab lab = Lab.of(art.argb()[i]);
                var cube =
                        new Cube(
                                Math.round(lab.l() / CUBE),
                                Math.round(lab.a() / CUBE),
                                Math.round(lab.b() / CUBE));
                double[] sum = cubes.computeIfAbsent(cube, any -> new double[4]);
                sum[0]++;
                sum[1] += lab.l();
                sum[2] += lab.a();
                sum[3] += lab.b();
            }
        }
        double[] most = new double[] {1, 0, 0, 0};
        for (double[] sum : cubes.values()) {
            if (sum[0] > most[0] || sum[0] == most[0] && sum[1] > most[1]) {
                most = sum;
            }
        }
        return new Lab(most[1] / most[0], most[2] / most[0], most[3] / most[0]);
    }

    /** How much a pixel belongs to the main colour, 0 to 1. */
    private double weight(Lab pixel) {
        double chroma = pixel.chroma();
        if (main.chroma() >= HAS_HUE) {
            double apart = Math.abs(Math.IEEEremainder(pixel.hue() - main.hue(), 2 * Math.PI));
            return (1 - ramp(Math.toDegrees(apart), 38, 60)) * ramp(chroma, 6, 14);
        }
        double gray = 1 - ramp(chroma, 14, 24);
        return main.l() > 50
                ? gray * ramp(pixel.l(), 0.45 * main.l(), 0.7 * main.l())
                : gray * (1 - ramp(pixel.l(), 65, 85));
    }

    /** A pixel of the main colour's family in the target's: darker stays darker, by as much. */
    private Lab shaded(Lab pixel, Lab target) {
        double lightness =
                pixel.l() <= main.l()
                        ? target.l() * pixel.l() / main.l()
                        : target.l()
                                + (100 - target.l()) * (pixel.l() - main.l()) / (100 - main.l());
        double strength =
                main.chroma() >= HAS_HUE ? Math.clamp(pixel.chroma() / main.chroma(), 0.2, 1.2) : 1;
        double light = lightness <= target.l() ? lightness / target.l() : 1;
        double glare = 1 - 0.7 * ramp(lightness, Math.max(80, target.l()), 100.1);
        double turn =
                main.chroma() >= HAS_HUE
                        ? 0.35 * Math.IEEEremainder(pixel.hue() - main.hue(), 2 * Math.PI)
                        : 0;
        return Lab.ofHue(
                lightness,
                target.chroma() * strength * Math.sqrt(light) * glare,
                target.hue() + turn);
    }

    /** 0 up to {@code from}, 1 from {@code to} on, smooth in between. */
    private static double ramp(double x, double from, double to) {
        double t = Math.clamp((x - from) / (to - from), 0, 1);
        return t * t * (3 - 2 * t);
    }
}
