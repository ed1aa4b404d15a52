package dev.darkroom.training.data;

/** Watches data being read or a cache being made, on the caller's thread, and can end that. */
public interface CacheListener {
    /** Neither watches nor ends. */
    CacheListener NONE = new CacheListener() {};

    /**
     * A batch is encoded, or read.
     *
     * @param done pictures or texts so far
     * @param total of them
     */
    default void encoded(long done, long total) {}

    /** Asked before each batch; true ends the work, and nothing is written. */
    default boolean isCancelled() {
        return false;
    }
}
