package dev.darkroom.models.training.data;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.random.RandomGenerator;

/** What is done to a picture before it is trained on; random, but the same for the same seed. */
@FunctionalInterface
public interface Augmentation {
    /**
     * A picture made of another, which stays as it is.
     *
     * @param picture RGB
     * @param random seeded from the run's seed and the sample's number
     */
    BufferedImage apply(BufferedImage picture, RandomGenerator random);

    /** This and then another. */
    default Augmentation then(Augmentation next) {
        return (picture, random) -> next.apply(apply(picture, random), random);
    }

    /**
     * Scales a picture to cover a square and cuts what is over on both sides.
     *
     * @param size of the square, in pixels
     */
    static Augmentation fit(int size) {
        requireSize(size);
        return (picture, random) -> {
            int width = picture.getWidth();
            int height = picture.getHeight();
            if (width == size && height == size) {
                return picture;
            }
            double scale = Math.max((double) size / width, (double) size / height);
            int wide = (int) Math.max(size, Math.round(width * scale));
            int high = (int) Math.max(size, Math.round(height * scale));
            var square = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
            draw(halved(picture, scale), square, (size - wide) / 2, (size - high) / 2, wide, high);
            return square;
        };
    }

    /** Halves a picture while it is at least twice too large: bilinear scaling sees 2×2 pixels. */
    private static BufferedImage halved(BufferedImage picture, double scale) {
        BufferedImage smaller = picture;
        for (double left = scale; left <= 0.5; left *= 2) {
            int width = Math.max(1, smaller.getWidth() / 2);
            int height = Math.max(1, smaller.getHeight() / 2);
            var half = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
            draw(smaller, half, 0, 0, width, height);
            smaller = half;
        }
        return smaller;
    }

    private static void draw(
            BufferedImage from, BufferedImage into, int x, int y, int width, int height) {
        Graphics2D graphics = into.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        graphics.drawImage(from, x, y, width, height, null);
        graphics.dispose();
    }

    /**
     * Cuts a square out of anywhere.
     *
     * @param size of the square, in pixels
     */
    static Augmentation randomCrop(int size) {
        requireSize(size);
        return (picture, random) -> {
            int width = picture.getWidth() - size;
            int height = picture.getHeight() - size;
            if (width < 0 || height < 0) {
                throw new IllegalArgumentException(
                        "a crop of %d×%d does not fit into a picture of %d×%d"
                                .formatted(size, size, picture.getWidth(), picture.getHeight()));
            }
            return picture.getSubimage(
                    random.nextInt(width + 1), random.nextInt(height + 1), size, size);
        };
    }

    /**
     * Mirrors a picture, left and right.
     *
     * @param probability 0 for never, 1 for always
     */
    static Augmentation flip(double probability) {
        if (!(probability >= 0 && probability <= 1)) {
            throw new IllegalArgumentException(
                    "a picture is mirrored with a probability from 0 to 1, not " + probability);
        }
        return (picture, random) -> {
            if (random.nextDouble() >= probability) {
                return picture;
            }
            int width = picture.getWidth();
            int height = picture.getHeight();
            var mirrored = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    mirrored.setRGB(width - 1 - x, y, picture.getRGB(x, y));
                }
            }
            return mirrored;
        };
    }

    private static void requireSize(int size) {
        if (size < 1) {
            throw new IllegalArgumentException("a picture has a pixel or more, not " + size);
        }
    }
}
