package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.Picture;

import java.util.Locale;
import java.util.random.RandomGenerator;

/**
 * What is done to a picture before a network sees it. Augmentations are put together: {@code
 * fit(128).then(flip(0.5))}.
 *
 * @param description of everything that the result depends on besides picture and random numbers;
 *     the key of caches
 * @param change gives a picture, its argument or a new one; from the same random numbers the same
 */
public record Augmentation(String description, Change change) {
    /** What is done. It may be called by several threads at once. */
    @FunctionalInterface
    public interface Change {
        /**
         * Changes a picture.
         *
         * @param picture not to be written to
         * @throws IllegalArgumentException if it does not suit
         */
        Picture apply(Picture picture, RandomGenerator random);
    }

    /** Nothing. */
    public static Augmentation none() {
        return new Augmentation("none", (picture, random) -> picture);
    }

    /** Scales a picture until it covers a square and cuts off evenly what juts out. */
    public static Augmentation fit(int size) {
        requireSize(size);
        return new Augmentation(
                "fit(" + size + ")",
                (picture, random) ->
                        square(picture, Math.min(picture.width(), picture.height()), size));
    }

    /** Scales a picture until it touches the sides of a square and fills the rest with white. */
    public static Augmentation pad(int size) {
        requireSize(size);
        return new Augmentation(
                "pad(" + size + ")",
                (picture, random) ->
                        square(picture, Math.max(picture.width(), picture.height()), size));
    }

    private static Picture square(Picture picture, int side, int size) {
        if (picture.width() == size && picture.height() == size) {
            return picture;
        }
        var window =
                new Resampling.Window(
                        (picture.width() - side) / 2.0,
                        (picture.height() - side) / 2.0,
                        side,
                        side);
        return Resampling.resample(picture, window, size, size);
    }

    /** Scales a picture until its shorter side has a size. */
    public static Augmentation shorterSide(int size) {
        requireSize(size);
        return new Augmentation(
                "shorterSide(" + size + ")",
                (picture, random) -> {
                    int width = picture.width();
                    int height = picture.height();
                    double scale = (double) size / Math.min(width, height);
                    return scale == 1
                            ? picture
                            : Resampling.resample(
                                    picture,
                                    new Resampling.Window(0, 0, width, height),
                                    (int) Math.round(width * scale),
                                    (int) Math.round(height * scale));
                });
    }

    /** Returns a square from anywhere in a picture, which must be at least as large. */
    public static Augmentation randomCrop(int size) {
        requireSize(size);
        return new Augmentation(
                "randomCrop(" + size + ")",
                (picture, random) -> {
                    if (picture.width() < size || picture.height() < size) {
                        throw new IllegalArgumentException(
                                String.format(
                                        Locale.ROOT,
                                        "a picture of %d×%d pixels is too small for a crop of"
                                                + " %d×%d",
                                        picture.width(),
                                        picture.height(),
                                        size,
                                        size));
                    }
                    int left = random.nextInt(picture.width() - size + 1);
                    int top = random.nextInt(picture.height() - size + 1);
                    return crop(picture, left, top, size);
                });
    }

    private static Picture crop(Picture picture, int left, int top, int size) {
        var rgb = new byte[3 * size * size];
        for (int y = 0; y < size; y++) {
            int from = 3 * ((top + y) * picture.width() + left);
            System.arraycopy(picture.rgb(), from, rgb, 3 * y * size, 3 * size);
        }
        return new Picture(size, size, rgb);
    }

    /**
     * Scales what a picture shows about its centre and moves it; the picture keeps its size, and
     * white comes in at the sides.
     *
     * @param smallest scale, such as 0.9
     * @param largest scale, such as 1.1
     * @param shift the largest, to either side and up or down, as a fraction of the picture's size
     */
    public static Augmentation randomScaleShift(double smallest, double largest, double shift) {
        if (!(smallest > 0) || !(largest >= smallest) || !(shift >= 0) || !(shift < 1)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "randomScaleShift takes 0 < smallest ≤ largest and 0 ≤ shift < 1, not"
                                    + " %s, %s, %s",
                            smallest,
                            largest,
                            shift));
        }
        return new Augmentation(
                "randomScaleShift(" + smallest + "," + largest + "," + shift + ")",
                (picture, random) -> {
                    double scale = smallest + (largest - smallest) * random.nextDouble();
                    double right = shift * (2 * random.nextDouble() - 1) * picture.width();
                    double down = shift * (2 * random.nextDouble() - 1) * picture.height();
                    double width = picture.width() / scale;
                    double height = picture.height() / scale;
                    var window =
                            new Resampling.Window(
                                    (picture.width() - width) / 2 - right / scale,
                                    (picture.height() - height) / 2 - down / scale,
                                    width,
                                    height);
                    return Resampling.resample(picture, window, picture.width(), picture.height());
                });
    }

    /** Mirrors a picture, left for right, as often as the probability says. */
    public static Augmentation flip(double probability) {
        if (!(probability >= 0) || !(probability <= 1)) {
            throw new IllegalArgumentException("a probability is from 0 to 1, not " + probability);
        }
        return new Augmentation(
                "flip(" + probability + ")",
                (picture, random) ->
                        random.nextDouble() < probability ? mirrored(picture) : picture);
    }

    private static Picture mirrored(Picture picture) {
        int width = picture.width();
        byte[] from = picture.rgb();
        var rgb = new byte[from.length];
        for (int row = 0; row < from.length; row += 3 * width) {
            for (int x = 0; x < width; x++) {
                System.arraycopy(from, row + 3 * (width - 1 - x), rgb, row + 3 * x, 3);
            }
        }
        return new Picture(width, picture.height(), rgb);
    }

    /** This one and then another. */
    public Augmentation then(Augmentation next) {
        return new Augmentation(
                description + " " + next.description,
                (picture, random) -> next.change.apply(change.apply(picture, random), random));
    }

    private static void requireSize(int size) {
        if (size < 1) {
            throw new IllegalArgumentException("a picture can't have a side of " + size);
        }
    }

    /** Returns the description. */
    @Override
    public String toString() {
        return description;
    }
}
