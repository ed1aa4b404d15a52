package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.Checkpoint;

import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/** A family of models: which checkpoints it reads, and how. */
public interface Family {
    /** The classes in {@code model_index.json} that it reads. */
    Set<String> pipelines();

    /**
     * Makes the parts of a checkpoint, which stay the checkpoint's. Their weights may be loaded
     * only when they are used, so this does not compute with them.
     *
     * @throws IOException if a part is missing, malformed, or does not fit the others
     */
    Model load(Checkpoint checkpoint) throws IOException;

    /** Returns how its networks are trained; empty if they can't be trained yet. */
    default Optional<Trainable<?>> trainable() {
        return Optional.empty();
    }
}
