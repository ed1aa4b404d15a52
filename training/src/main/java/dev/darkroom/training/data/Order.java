package dev.darkroom.training.data;

import dev.darkroom.training.run.Seeds;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The order in which examples are shown: shuffled anew in each epoch, without an end. What a sample
 * is depends on nothing but the seed and its number, so that a run can begin anywhere. May be used
 * by several threads at once.
 */
public final class Order {
    /** Tells these seeds from the ones of other uses. */
    private static final long USE = 0x6f72646572L;

    /** Batches that are read ahead cross the end of an epoch. */
    private static final int EPOCHS_KEPT = 2;

    private final int size;
    private final long seed;

    /** Permutations by epoch. */
    private final Map<Long, int[]> epochs = new LinkedHashMap<>();

    /**
     * @param size how many examples there are
     * @throws IllegalArgumentException if there is none
     */
    public Order(int size, long seed) {
        if (size < 1) {
            throw new IllegalArgumentException("there is no order of " + size + " examples");
        }
        this.size = size;
        this.seed = seed;
    }

    /** Returns the epoch of a sample, both from 0. */
    public long epoch(long sample) {
        return sample / size;
    }

    /**
     * Returns which example a sample shows.
     *
     * @param sample its number in the run, from 0
     * @return from 0
     */
    public int index(long sample) {
        if (sample < 0) {
            throw new IllegalArgumentException("samples are counted from 0, not " + sample);
        }
        return permutation(epoch(sample))[(int) (sample % size)];
    }

    private synchronized int[] permutation(long epoch) {
        int[] permutation = epochs.get(epoch);
        if (permutation == null) {
            permutation = shuffled(epoch);
            epochs.put(epoch, permutation);
            if (epochs.size() > EPOCHS_KEPT) {
                Iterator<Long> oldest = epochs.keySet().iterator();
                oldest.next();
                oldest.remove();
            }
        }
        return permutation;
    }

    /** Durstenfeld's shuffle (1964, "Algorithm 235: Random permutation"). */
    private int[] shuffled(long epoch) {
        var permutation = new int[size];
        for (int i = 0; i < size; i++) {
            // 64 bits, scaled: uneven by less than size / 2⁶⁴
            long bits = Seeds.of(seed, USE, epoch, i);
            int j = (int) Math.unsignedMultiplyHigh(bits, i + 1L);
            permutation[i] = permutation[j];
            permutation[j] = i;
        }
        return permutation;
    }
}
