package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.nn.Module;

import java.io.IOException;
import java.util.Map;

/** What a network that denoises is conditioned on: captions or classes. */
interface Conditioning extends AutoCloseable {
    /** Returns the width of a text's states, or the number of classes. */
    int size();

    /**
     * Makes the conditions of a batch.
     *
     * @param examples of the data set
     * @param dropped which of them lose their condition
     */
    Condition batch(int[] examples, boolean[] dropped);

    /** Returns what is trained besides the network, by the name of its part. */
    Map<String, Module> trained();

    /**
     * Writes the parts that condition the network.
     *
     * @param dtype that trained weights are written in
     */
    void write(CheckpointWriter writer, DType dtype) throws IOException;

    @Override
    void close();
}
