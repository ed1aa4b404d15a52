package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.FileLayout;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** A family of models: which checkpoints it reads, and how. */
public interface Family {
    /** What it is called, such as {@code pixart}: unless it says otherwise, its class's name. */
    default String name() {
        return getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }

    /** The classes in {@code model_index.json} that it reads. */
    Set<String> pipelines();

    /**
     * Whether some of its models take neither a prompt nor a class. The others refuse a request
     * without, when they are loaded.
     */
    default boolean samplesWithoutInputs() {
        return false;
    }

    /**
     * Makes the parts of a checkpoint, which stay the checkpoint's. Their weights may be loaded
     * only when they are used, so this does not compute with them.
     *
     * @throws IOException if a part is missing, malformed, or does not fit the others
     */
    Model load(Checkpoint checkpoint) throws IOException;

    /** Whether it loads a single file, by the names and shapes of its tensors. */
    default boolean reads(SafetensorsHeader file) {
        return false;
    }

    /**
     * Returns what a single file that it {@linkplain #reads reads} would be as a folder; empty for
     * a family that loads single files in a way of its own.
     *
     * @throws IOException if networks are missing in it
     */
    default Optional<HubLayout> layout(SafetensorsHeader file) throws IOException {
        return Optional.empty();
    }

    /**
     * Returns what a checkpoint that it {@linkplain #load(Checkpoint) loaded} would be as a single
     * file; empty for a family whose checkpoints are folders.
     *
     * @throws IOException if such a file can't hold it, which says why
     */
    default Optional<FileLayout> fileLayout(Checkpoint checkpoint) throws IOException {
        return Optional.empty();
    }

    /**
     * Loads a single file that it {@linkplain #reads reads}. The networks stay the file's.
     *
     * @throws IOException if a tensor is missing or malformed, or it loads no single files
     */
    default Model load(SingleFile file) throws IOException {
        HubLayout layout = layout(file.header()).orElseThrow(file::unknown);
        Model model = load(file.checkpoint(layout));
        file.requireNoOthers(layout);
        return model;
    }

    /** Returns how its networks are trained; empty if they can't be trained yet. */
    default Optional<Trainable<?>> trainable() {
        return Optional.empty();
    }
}
