package dev.darkroom.models.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A network in a folder of its own, which a checkpoint is loaded with: in the place of one of its
 * parts, or beside them.
 *
 * @param folder of its config and weights
 * @param kind what it is, for messages, such as {@code autoencoder}
 */
public record PartElsewhere(Path folder, String kind) {
    public PartElsewhere {
        Objects.requireNonNull(folder, "folder");
        Objects.requireNonNull(kind, "kind");
    }

    /**
     * Finds the folder.
     *
     * @param given a folder of the network, or of a checkpoint that has it as a part
     * @param part its name there
     */
    public static PartElsewhere in(Path given, String part, String kind) {
        Path inside = given.resolve(part);
        boolean isOfCheckpoint = Files.isRegularFile(inside.resolve(Architecture.FILE));
        return new PartElsewhere(isOfCheckpoint ? inside : given, kind);
    }

    /**
     * Returns the file of the config.
     *
     * @throws CheckpointException if there is none
     */
    public Path file() throws CheckpointException {
        Path file = folder.resolve(Architecture.FILE);
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(
                    "the "
                            + kind
                            + " "
                            + folder
                            + " has no "
                            + Architecture.FILE
                            + "; name a folder that holds it and the weights");
        }
        return file;
    }

    /**
     * Returns the config as it is written.
     *
     * @throws IOException if it is missing or no JSON object
     */
    public ObjectNode json() throws IOException {
        return ConfigReader.object(file());
    }

    /**
     * Reads the config.
     *
     * @throws IOException if it can't be read or is not supported
     */
    public <C> C config(Function<ConfigReader, C> reader, Warnings warnings) throws IOException {
        return ConfigReader.read(file(), json(), warnings, reader);
    }

    /**
     * Returns the class that the config names.
     *
     * @param supported classes
     * @throws IOException if it is another, or the config can't be read
     */
    public String className(String... supported) throws IOException {
        String name = json().path("_class_name").asText();
        if (!List.of(supported).contains(name)) {
            throw new CheckpointException(
                    folder.resolve(Architecture.FILE)
                            + " describes "
                            + (name.isEmpty() ? "no class" : "a " + name)
                            + "; "
                            + one(kind)
                            + " is "
                            + List.of(supported).stream()
                                    .map(PartElsewhere::one)
                                    .collect(Collectors.joining(" or ")));
        }
        return name;
    }

    private static String one(String noun) {
        return ("AEIOUaeiou".indexOf(noun.charAt(0)) < 0 ? "a " : "an ") + noun;
    }
}
