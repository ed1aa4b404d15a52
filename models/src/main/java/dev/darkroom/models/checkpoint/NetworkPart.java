package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A network as a part of checkpoints. A family says it once, for sampling, training and writing.
 *
 * @param <C> the network's config
 * @param <M> the network
 * @param name of the part and its folder, such as {@code transformer}
 * @param library whose class it is
 * @param classes that {@code model_index.json} may name; the first is the one that is written
 * @param reader reads the part's {@code config.json}
 * @param constructor declares a network
 * @param naming brings old names of tensors up to date
 */
public record NetworkPart<C, M extends Module>(
        String name,
        Library library,
        List<String> classes,
        Function<ConfigReader, C> reader,
        BiFunction<Weights, C, M> constructor,
        UnaryOperator<WeightSource> naming) {
    public NetworkPart {
        classes = List.copyOf(classes);
    }

    /** A part whose tensors have one name each. */
    public NetworkPart(
            String name,
            Library library,
            List<String> classes,
            Function<ConfigReader, C> reader,
            BiFunction<Weights, C, M> constructor) {
        this(name, library, classes, reader, constructor, UnaryOperator.identity());
    }

    /** Returns the class that is written. */
    public String className() {
        return classes.getFirst();
    }

    /**
     * Requires the part.
     *
     * @throws CheckpointException if a checkpoint does not have it, or it is of another class
     */
    public void require(Checkpoint checkpoint) throws CheckpointException {
        checkpoint.requirePart(name, classes.toArray(String[]::new));
    }

    /**
     * Reads the config that a checkpoint has. Unknown options are among the checkpoint's warnings.
     *
     * @throws IOException if it can't be read or is not supported
     */
    public Architecture<C, M> read(Checkpoint checkpoint) throws IOException {
        Path file = checkpoint.file(name, Architecture.FILE);
        ObjectNode json = checkpoint.config(name, Architecture.FILE);
        return new Architecture<>(
                this, json, ConfigReader.read(file, json, checkpoint.warnings(), reader));
    }

    /**
     * Reads a config that people write for Darkroom; an unknown option is an error.
     *
     * @throws IllegalArgumentException if it is not supported
     */
    public Architecture<C, M> of(ObjectNode json) {
        return new Architecture<>(this, json, ConfigReader.of(json, reader));
    }
}
