package dev.darkroom.models.family;

/**
 * The size of a picture.
 *
 * @param height in pixels
 * @param width in pixels
 */
public record Size(int height, int width) {
    /**
     * What a picture of another size is scaled to, so that it covers this one and keeps its ratio:
     * in one direction it is this size, in the other it is that or more, rounded down. The product
     * with the scale is not always a whole number where it should be, and one below it would lose a
     * pixel.
     */
    public Size coveredBy(Size picture) {
        double scale = Math.max((double) height / picture.height, (double) width / picture.width);
        return new Size(
                Math.max(height, (int) (picture.height * scale)),
                Math.max(width, (int) (picture.width * scale)));
    }

    /** How many pixels it has. */
    public long pixels() {
        return (long) height * width;
    }

    /** Such as {@code 512×768}: width, then height. */
    @Override
    public String toString() {
        return width + "×" + height;
    }
}
