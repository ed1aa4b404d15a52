package dev.darkroom.runtime;

import java.util.Arrays;

/** The sizes of a tensor's dimensions, outermost first. Immutable. */
public final class Shape {
    /** The shape of a tensor with one element and no dimensions. */
    public static final Shape SCALAR = new Shape(new long[0]);

    private final long[] sizes;

    private Shape(long[] sizes) {
        this.sizes = sizes;
    }

    /**
     * Makes a shape.
     *
     * @throws IllegalArgumentException if a size is negative
     */
    public static Shape of(long... sizes) {
        for (long size : sizes) {
            if (size < 0) {
                throw new IllegalArgumentException(
                        "a shape has no negative sizes: " + Arrays.toString(sizes));
            }
        }
        return new Shape(sizes.clone());
    }

    /** Makes a shape of sizes that are libtorch's, and that nobody changes. */
    static Shape over(long[] sizes) {
        return new Shape(sizes);
    }

    /** Returns whether this was made {@linkplain #over over} that very array. */
    @SuppressWarnings("ReferenceEquality") // the same array, and not an equal one
    boolean isOver(long[] other) {
        return sizes == other;
    }

    /** Returns the number of dimensions. */
    public int rank() {
        return sizes.length;
    }

    /**
     * Returns the size of a dimension.
     *
     * @param dim from 0, or from −1 counted from the end
     * @throws IndexOutOfBoundsException if there is no such dimension
     */
    public long size(int dim) {
        return sizes[dim(dim)];
    }

    /**
     * Counts a dimension from the front.
     *
     * @param dim from 0, or from −1 counted from the end
     * @throws IndexOutOfBoundsException if there is no such dimension
     */
    public int dim(int dim) {
        int index = dim < 0 ? dim + sizes.length : dim;
        if (index < 0 || index >= sizes.length) {
            throw new IndexOutOfBoundsException("no dimension " + dim + " in shape " + this);
        }
        return index;
    }

    /**
     * Returns the number of elements.
     *
     * @throws ArithmeticException if it does not fit a long
     */
    public long elements() {
        long count = 1;
        for (long size : sizes) {
            count = Math.multiplyExact(count, size);
        }
        return count;
    }

    /** Returns a copy of the sizes. */
    public long[] toArray() {
        return sizes.clone();
    }

    /** Returns whether a tensor of this shape can be expanded to {@code target} without copying. */
    public boolean expandsTo(Shape target) {
        int lead = target.sizes.length - sizes.length;
        if (lead < 0) {
            return false;
        }
        for (int i = 0; i < sizes.length; i++) {
            if (sizes[i] != 1 && sizes[i] != target.sizes[lead + i]) {
                return false;
            }
        }
        return true;
    }

    /** Returns whether two shapes broadcast together by PyTorch's rules. */
    public boolean broadcastsWith(Shape other) {
        int shared = Math.min(sizes.length, other.sizes.length);
        for (int i = 1; i <= shared; i++) {
            long a = sizes[sizes.length - i];
            long b = other.sizes[other.sizes.length - i];
            if (a != b && a != 1 && b != 1) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(sizes, shape.sizes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(sizes);
    }

    /** Returns a text like {@code [2, 3]}. */
    @Override
    public String toString() {
        return Arrays.toString(sizes);
    }
}
