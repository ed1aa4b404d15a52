package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.Lab;

import org.jspecify.annotations.Nullable;

import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/**
 * A picture taken apart into its background and the object before it. The background's colour is
 * the median of the outermost pixels, which objects leave free; the object is what differs from it.
 */
final class Cutout {
    /** Width of the ring of pixels that tell the background's colour. */
    private static final int RING = 2;

    /** ΔE from the background up to which a pixel is none of the object's, and from which it is. */
    private static final double SAME = 10;

    private static final double OTHER = 24;

    /** Pieces smaller than this share of the object are specks. */
    private static final double SPECK = 0.01;

    /** Distance from the object's edge at which pixels have its own colour, not a mixed one. */
    private static final int INSIDE = 2;

    private final int side;
    private final Lab[] pixels;
    private final Lab background;
    private final double[] mask;

    private Cutout(int side, Lab[] pixels, Lab background, double[] mask) {
        this.side = side;
        this.pixels = pixels;
        this.background = background;
        this.mask = mask;
    }

    /**
     * Takes a picture apart.
     *
     * @param picture square
     */
    static Cutout of(BufferedImage picture) {
        int side = picture.getWidth();
        if (picture.getHeight() != side) {
            throw new IllegalArgumentException(
                    "pictures to score are square, not " + side + "×" + picture.getHeight());
        }
        int[] rgb = picture.getRGB(0, 0, side, side, null, 0, side);
        var pixels = new Lab[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            pixels[i] = Lab.of(rgb[i]);
        }
        Lab background = ring(pixels, side);
        var mask = new double[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            double apart = pixels[i].distance(background);
            mask[i] = Math.clamp((apart - SAME) / (OTHER - SAME), 0, 1);
        }
        dropSpecks(mask, side);
        return new Cutout(side, pixels, background, mask);
    }

    private static Lab ring(Lab[] pixels, int side) {
        int count = 4 * RING * (side - RING);
        var l = new double[count];
        var a = new double[count];
        var b = new double[count];
        int n = 0;
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                if (Math.min(Math.min(x, y), Math.min(side - 1 - x, side - 1 - y)) < RING) {
                    Lab pixel = pixels[y * side + x];
                    l[n] = pixel.l();
                    a[n] = pixel.a();
                    b[n++] = pixel.b();
                }
            }
        }
        return new Lab(median(l), median(a), median(b));
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        return values[values.length / 2];
    }

    /** Clears connected pieces that are too small to belong to the object. */
    private static void dropSpecks(double[] mask, int side) {
        int total = 0;
        for (double each : mask) {
            total += each > 0.5 ? 1 : 0;
        }
        var seen = new boolean[mask.length];
        var piece = new int[mask.length];
        for (int start = 0; start < mask.length; start++) {
            if (seen[start] || mask[start] == 0) {
                continue;
            }
            int size = 1;
            double weight = 0;
            piece[0] = start;
            seen[start] = true;
            for (int i = 0; i < size; i++) {
                int at = piece[i];
                weight += mask[at];
                int x = at % side;
                int y = at / side;
                int[] next = {
                    x > 0 ? at - 1 : at,
                    x < side - 1 ? at + 1 : at,
                    y > 0 ? at - side : at,
                    y < side - 1 ? at + side : at
                };
                for (int neighbour : next) {
                    if (!seen[neighbour] && mask[neighbour] > 0) {
                        seen[neighbour] = true;
                        piece[size++] = neighbour;
                    }
                }
            }
            if (weight < SPECK * total) {
                for (int i = 0; i < size; i++) {
                    mask[piece[i]] = 0;
                }
            }
        }
    }

    int side() {
        return side;
    }

    Lab pixel(int index) {
        return pixels[index];
    }

    /** How much a pixel is the object's, 0 to 1. */
    double mask(int index) {
        return mask[index];
    }

    /** The name of the background's colour. */
    Colour background() {
        Colour best = Colour.WHITE;
        for (Colour colour : Colour.values()) {
            if (colour.lab().distance(background) < best.lab().distance(background)) {
                best = colour;
            }
        }
        return best;
    }

    /** The name that most of the object's pixels have; null if there is no object. */
    @Nullable Colour object() {
        Map<Colour, Integer> votes = new EnumMap<>(Colour.class);
        for (int y = INSIDE; y < side - INSIDE; y++) {
            for (int x = INSIDE; x < side - INSIDE; x++) {
                if (isInside(x, y)) {
                    votes.merge(Colour.nearest(pixels[y * side + x]), 1, Integer::sum);
                }
            }
        }
        return votes.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse(null);
    }

    private boolean isInside(int x, int y) {
        int at = y * side + x;
        return mask[at] == 1
                && mask[at - INSIDE] == 1
                && mask[at + INSIDE] == 1
                && mask[at - INSIDE * side] == 1
                && mask[at + INSIDE * side] == 1;
    }
}
