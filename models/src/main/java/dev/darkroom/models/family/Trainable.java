package dev.darkroom.models.family;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * How networks of a family are trained.
 *
 * @param <C> the network's config
 * @param network the part of checkpoints that is trained
 * @param pipeline the class of the checkpoints that training from scratch makes
 * @param input what the network is conditioned on
 * @param completion fills in what a config leaves out, since it follows from the data
 * @param check refuses configs of networks that can't be trained yet, by an {@link
 *     IllegalArgumentException} that says why
 * @param guidanceKey the config's option for the number of sinusoids of a distilled guidance; null
 *     if these networks can't be conditioned on one
 */
public record Trainable<C>(
        NetworkPart<C, ? extends DiffusionNetwork> network,
        String pipeline,
        TrainingInput input,
        BiConsumer<ObjectNode, DataSizes> completion,
        Consumer<C> check,
        @Nullable String guidanceKey) {
    /**
     * Describes the network of a checkpoint. Unknown options are among the checkpoint's warnings.
     *
     * @throws IOException if the config can't be read or is not supported
     * @throws IllegalArgumentException if such a network can't be trained yet
     */
    public Architecture<C, ? extends DiffusionNetwork> architecture(Checkpoint checkpoint)
            throws IOException {
        return checked(network.read(checkpoint));
    }

    /**
     * Describes a network to train from scratch.
     *
     * @param json a config, which may leave out what follows from the data
     * @throws IllegalArgumentException if it is not supported, or such a network can't be trained
     *     yet
     */
    public Architecture<C, ? extends DiffusionNetwork> architecture(
            ObjectNode json, DataSizes data) {
        ObjectNode complete = json.deepCopy();
        completion.accept(complete, data);
        return checked(network.of(complete));
    }

    /**
     * Describes a network that is conditioned on a distilled guidance, and otherwise like another.
     *
     * @param like the config of the other
     * @param channels sinusoids of the guidance
     * @throws IllegalArgumentException if these networks can't be conditioned on one
     */
    public Architecture<C, ? extends DiffusionNetwork> withGuidance(ObjectNode like, int channels) {
        if (guidanceKey == null) {
            throw new IllegalArgumentException(
                    network.className() + " can't be conditioned on a distilled guidance");
        }
        ObjectNode json = like.deepCopy().put(guidanceKey, channels);
        Warnings said = Warnings.collected(); // of what the other config has
        return new Architecture<>(
                network, json, ConfigReader.of(network.className(), json, said, network.reader()));
    }

    private Architecture<C, ? extends DiffusionNetwork> checked(
            Architecture<C, ? extends DiffusionNetwork> architecture) {
        check.accept(architecture.config());
        return architecture;
    }
}
