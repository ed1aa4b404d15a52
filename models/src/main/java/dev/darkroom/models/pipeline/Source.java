package dev.darkroom.models.pipeline;

import java.util.List;
import java.util.Map;

/** Where a pipeline's model is from. */
interface Source extends AutoCloseable {
    /** A short name. */
    String name();

    /** The class of diffusers' pipeline. */
    String pipeline();

    /** What loading met that may matter. */
    List<String> warnings();

    /** Names and values for display. */
    Map<String, Object> describe();

    /** The SHA-256 of each weights file, by its path. */
    Map<String, String> hashWeights(boolean rehashed);

    /** Frees networks that take turns in memory, until they are used again. */
    void release();

    /** Frees the model, if it is the pipeline's. */
    @Override
    void close();
}
