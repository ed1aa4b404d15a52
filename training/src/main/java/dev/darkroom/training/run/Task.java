package dev.darkroom.training.run;

import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;

import java.io.IOException;
import java.nio.file.Path;

/**
 * What a {@link Trainer} trains. All randomness of a step comes from its generator, and all data
 * from its number, so that a step is the same whenever it is taken.
 */
public interface Task extends AutoCloseable {
    /** Returns what changes in training. */
    Learner learner();

    /** Returns how many pictures, or whatever is counted, the first steps of a run take. */
    long samples(long steps);

    /**
     * Makes ready for the steps from one on: the data goes on from there.
     *
     * @param step from 0
     */
    void start(long step);

    /**
     * Returns the loss of a part of a step. Called with gradients recorded, in a scope of its own.
     *
     * @param step from 0
     * @param part of the step, from 0; more than one if gradients are accumulated
     * @param noise seeded for this step and part
     * @return a scalar
     * @throws IOException if the data can't be read
     */
    Tensor loss(long step, int part, Generator noise) throws IOException;

    /**
     * Shows what has been learnt, every now and then.
     *
     * @param step how many steps were taken
     * @param folder for pictures
     */
    default void show(long step, Path folder) throws IOException {}

    /**
     * Writes the result after the last step. May be called again after an interruption.
     *
     * @param folder of the run
     */
    void finish(Path folder) throws IOException;

    @Override
    void close();
}
