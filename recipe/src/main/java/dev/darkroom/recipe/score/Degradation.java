package dev.darkroom.recipe.score;

import java.awt.image.BufferedImage;
import java.util.Random;

/**
 * Makes a picture as imperfect as an autoencoder's: blurred, with ripples left over by a coarser
 * grid of pixels, a drift of each colour, and noise.
 *
 * @param blur standard deviation of the blur in pixels
 * @param drift standard deviation of the shift of each channel, in levels of 0 to 255
 * @param ripple standard deviation of the error that blocks of 4×4 pixels share, in levels
 * @param noise standard deviation of each pixel's error, in levels
 */
record Degradation(double blur, double drift, double ripple, double noise) {
    /** About 26 dB from the original. */
    static final Degradation MILD = new Degradation(0.9, 3, 5, 6);

    private static final int BLOCK = 4;

    BufferedImage of(BufferedImage picture, Random random) {
        int side = picture.getWidth();
        var result = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        int[] rgb = picture.getRGB(0, 0, side, side, null, 0, side);
        var changed = new int[rgb.length];
        int blocks = Math.ceilDiv(side, BLOCK);
        for (int shift = 16; shift >= 0; shift -= 8) {
            var channel = new double[rgb.length];
            for (int i = 0; i < rgb.length; i++) {
                channel[i] = rgb[i] >> shift & 0xff;
            }
            channel = blurred(blurred(channel, side, 1), side, side);
            double offset = drift * random.nextGaussian();
            double[] ripples =
                    random.doubles((long) blocks * blocks)
                            .map(any -> ripple * random.nextGaussian())
                            .toArray();
            for (int i = 0; i < rgb.length; i++) {
                double error = ripples[i / side / BLOCK * blocks + i % side / BLOCK];
                double value = channel[i] + offset + error + noise * random.nextGaussian();
                changed[i] |= Math.clamp(Math.round(value), 0, 255) << shift;
            }
        }
        result.setRGB(0, 0, side, side, changed, 0, side);
        return result;
    }

    /** Blurs along rows (step 1) or columns (step {@code side}); edges repeat. */
    private double[] blurred(double[] channel, int side, int step) {
        int reach = (int) Math.ceil(3 * blur);
        var result = new double[channel.length];
        for (int i = 0; i < channel.length; i++) {
            int place = step == 1 ? i % side : i / side;
            double weights = 0;
            for (int d = -reach; d <= reach; d++) {
                int to = Math.clamp(place + d, 0, side - 1) - place;
                double weight = Math.exp(-0.5 * d * d / (blur * blur));
                result[i] += weight * channel[i + to * step];
                weights += weight;
            }
            result[i] /= weights;
        }
        return result;
    }
}
