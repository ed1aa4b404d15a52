package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;

/**
 * A network without weights: a part of checkpoints and a config.
 *
 * @param <C> the config
 * @param <M> the network
 * @param part which checkpoints hold
 * @param json the config as it is written
 * @param config the same as it was read
 */
public record Architecture<C, M extends Module>(NetworkPart<C, M> part, ObjectNode json, C config) {
    /** The file of a part that holds its config. */
    static final String FILE = "config.json";

    /** Declares a network. */
    public M network(Weights w) {
        return part.constructor().apply(w, config);
    }

    /**
     * Makes the network of a checkpoint, which loads its weights at once or later, as its options
     * say. It stays the checkpoint's.
     *
     * @throws IOException if the weights can't be read, or do not fit the config
     */
    public M load(Checkpoint checkpoint) throws IOException {
        return checkpoint.network(
                part.name(),
                part.library().stem(),
                checkpoint.options().dtype(),
                part.naming(),
                this::network);
    }

    /** Returns the class that a checkpoint of this network names. */
    public String className() {
        String given = json.path("_class_name").asText();
        return part.classes().contains(given) ? given : part.className();
    }
}
