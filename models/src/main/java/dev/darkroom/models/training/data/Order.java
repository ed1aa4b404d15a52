package dev.darkroom.models.training.data;

import dev.darkroom.models.training.run.Seeds;

import java.util.SplittableRandom;

/**
 * The order of a data set: every item once in each epoch, in a permutation of the seed and the
 * epoch. Any place can be asked for without those before it, so that a run may begin anywhere.
 */
public final class Order {
    private final long seed;
    private final int size;
    private long epoch = -1;
    private int[] permutation = {};

    /**
     * @param seed of all epochs
     * @param size items of the data set
     */
    public Order(long seed, int size) {
        if (size < 1) {
            throw new IllegalArgumentException("a data set has one item or more, not " + size);
        }
        this.seed = seed;
        this.size = size;
    }

    /**
     * The item at a place; those of an epoch are prepared with its first one.
     *
     * @param place from 0, through all epochs
     */
    public synchronized int at(long place) {
        if (place / size != epoch) {
            epoch = place / size;
            permutation = permutation(epoch);
        }
        return permutation[(int) (place % size)];
    }

    /** Fisher and Yates's shuffle. */
    private int[] permutation(long epoch) {
        var random = new SplittableRandom(Seeds.of(seed, epoch));
        var items = new int[size];
        for (int i = 0; i < size; i++) {
            int j = random.nextInt(i + 1);
            items[i] = items[j];
            items[j] = i;
        }
        return items;
    }
}
