package dev.darkroom.models.pipeline;

import java.math.BigInteger;

/**
 * Seeds as PyTorch's {@code Generator.manual_seed} takes them: the numbers from −2⁶³ to 2⁶⁴ − 1,
 * where a negative one is the one that has the same 64 bits, 2⁶⁴ larger. In Java they are those 64
 * bits, so a {@code long} that is negative stands for the upper half. After the last seed comes 0.
 *
 * <p>PyTorch's generator on the CPU, mt19937, starts from the lower 32 bits alone.
 */
public final class Seed {
    private static final BigInteger LOWEST = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger HIGHEST = BigInteger.TWO.pow(64).subtract(BigInteger.ONE);

    private Seed() {}

    /**
     * The 64 bits of a seed in decimal digits.
     *
     * @throws IllegalArgumentException if it is no whole number or not in PyTorch's range
     */
    public static long parse(String text) {
        BigInteger seed = null;
        try {
            seed = text.length() > 64 ? null : new BigInteger(text);
        } catch (NumberFormatException e) {
            // as one out of range
        }
        if (seed == null || seed.compareTo(LOWEST) < 0 || seed.compareTo(HIGHEST) > 0) {
            throw new IllegalArgumentException(
                    "a seed is a whole number from "
                            + LOWEST
                            + " to "
                            + HIGHEST
                            + ", PyTorch's range, not "
                            + (text.length() > 64 ? text.substring(0, 64) + "…" : text));
        }
        return seed.longValue();
    }

    /** A seed as the number from 0 to 2⁶⁴ − 1 that PyTorch calls the initial seed. */
    public static Number value(long seed) {
        return seed >= 0 ? (Number) seed : new BigInteger(Long.toUnsignedString(seed));
    }
}
