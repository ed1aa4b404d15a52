package dev.darkroom.models.clip;

/**
 * Which states of a {@link ClipTextEncoder} stand for a text.
 *
 * @param skipped how many of the last layers are left out
 * @param normed whether the final norm is applied
 */
public record ClipStates(int skipped, boolean normed) {
    /** The last layer's, after the final norm. */
    public static final ClipStates LAST = new ClipStates(0, true);

    /** The last layer's but one, without the final norm. */
    public static final ClipStates PENULTIMATE = new ClipStates(1, false);

    /**
     * Checks the number.
     *
     * @throws IllegalArgumentException if it is negative
     */
    public ClipStates {
        if (skipped < 0) {
            throw new IllegalArgumentException("the layers that are left out can't be " + skipped);
        }
    }

    /** Returns these states with more layers left out. */
    public ClipStates skipping(int more) {
        return new ClipStates(Math.addExact(skipped, more), normed);
    }
}
