package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.util.Map;

/**
 * What a network that denoises is conditioned on: the captions of PixArt or the classes of DiT. It
 * knows the network's config and makes such networks, but owns none of them.
 */
interface Conditioning extends AutoCloseable {
    /** Declares a network. */
    DiffusionNetwork network(Weights w);

    /**
     * The conditions of a batch, to which any network of the config can be bound.
     *
     * @param examples of the data set
     * @param dropped which of them lose their condition
     */
    Condition batch(int[] examples, boolean[] dropped);

    /** What is trained besides the network, by the name of its part. */
    Map<String, Module> trained();

    /** The class of pipelines of such networks. */
    String pipelineClass();

    /** The network's config, as it is written. */
    ObjectNode json();

    /** Writes the parts that condition it, all but the network itself. */
    void write(HubFolder hub, DType dtype) throws IOException;

    @Override
    void close();
}
