package dev.darkroom.training.run;

/** Watches a run, on its thread, and can end it. */
public interface RunListener {
    /** Neither watches nor ends. */
    RunListener NONE = new RunListener() {};

    /**
     * Some data was made ready, before the first step.
     *
     * @param done of all
     * @param of how many there are
     */
    default void prepared(long done, long of) {}

    /** A step was taken. */
    default void stepped(StepReport report) {}

    /**
     * The run goes on from a checkpoint.
     *
     * @param step how many steps it had taken
     */
    default void resumed(long step) {}

    /**
     * The run had ended before: there is nothing left to train, only the result is written anew.
     *
     * @param steps how many it had taken
     */
    default void finished(long steps) {}

    /**
     * A checkpoint is safe on disk.
     *
     * @param step how many steps it had taken
     */
    default void saved(long step) {}

    /** Something is not as it should be; the run goes on. */
    default void warned(String warning) {}

    /** Returns whether the run shall save and stop; asked between steps. */
    default boolean isStopping() {
        return false;
    }
}
