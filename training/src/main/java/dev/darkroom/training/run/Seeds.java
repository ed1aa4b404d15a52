package dev.darkroom.training.run;

/**
 * Seeds that are told apart by where they are used, so that nothing depends on what came before.
 */
public final class Seeds {
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private Seeds() {}

    /**
     * Returns the seed of a place, such as (step, part) or (epoch, index). Any difference in the
     * arguments changes every bit of the result with a probability of one half (SplitMix64: Steele,
     * Lea and Flood 2014, "Fast splittable pseudorandom number generators"; Stafford's variant 13).
     *
     * <p>libtorch's generator on the CPU takes the lower 32 bits of it.
     *
     * @param seed of the run
     * @param place numbers in an order that matters
     */
    public static long of(long seed, long... place) {
        long mixed = mix(seed + GOLDEN_GAMMA);
        for (long each : place) {
            mixed = mix(mixed + GOLDEN_GAMMA * (each + 1));
        }
        return mixed;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
