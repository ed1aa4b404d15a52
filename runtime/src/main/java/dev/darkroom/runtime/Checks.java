package dev.darkroom.runtime;

import java.util.Arrays;

/** Checks of arguments, with messages that give the shapes. */
final class Checks {
    private Checks() {}

    static void requireBroadcast(String method, Shape a, Shape b) {
        if (!a.equals(b) && !a.broadcastsWith(b)) {
            throw new IllegalArgumentException(
                    method + ": shapes " + a + " and " + b + " do not broadcast together");
        }
    }

    static void requireExpands(String method, Shape from, Shape to) {
        if (!from.equals(to) && !from.expandsTo(to)) {
            throw new IllegalArgumentException(
                    method + ": shape " + from + " does not broadcast to " + to);
        }
    }

    static void requireRank(String what, Shape shape, int rank) {
        if (shape.rank() != rank) {
            throw new IllegalArgumentException(
                    what + " must have " + rank + " dimensions, not shape " + shape);
        }
    }

    static void requireBytes(long bytes, DType dtype, Shape shape) {
        long expected = Math.multiplyExact(shape.elements(), dtype.bytes());
        if (bytes != expected) {
            throw new IllegalArgumentException(
                    dtype + shape.toString() + " takes " + expected + " bytes, not " + bytes);
        }
    }

    static void requireReshape(Shape from, long[] to) {
        long known = 1;
        int open = 0;
        for (long size : to) {
            if (size == -1) {
                open++;
            } else if (size < 0) {
                throw new IllegalArgumentException(
                        "reshape: negative size in " + Arrays.toString(to));
            } else {
                known = Math.multiplyExact(known, size);
            }
        }
        long elements = from.elements();
        boolean fits =
                open == 0 ? known == elements : open == 1 && known != 0 && elements % known == 0;
        if (!fits) {
            throw new IllegalArgumentException(
                    "reshape: shape " + from + " can't become " + Arrays.toString(to));
        }
    }

    static void requireMatmul(Shape a, Shape b) {
        if (a.rank() == 0 || b.rank() == 0) {
            throw new IllegalArgumentException(
                    "matmul: shapes " + a + " and " + b + " need a dimension each");
        }
        long inner = b.size(b.rank() == 1 ? 0 : -2);
        if (a.size(-1) != inner) {
            throw new IllegalArgumentException(
                    "matmul: the last dimension of " + a + " is not the inner one of " + b);
        }
    }
}
