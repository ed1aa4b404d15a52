package dev.darkroom.training.stage;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.tokenizers.Prompts;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.data.TextCache.Texts;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/** The captions of a data set, and what reads them. */
interface Captions extends AutoCloseable {
    /**
     * The states of some captions.
     *
     * @param examples of the data set
     * @param dropped which of them are read as the empty caption
     */
    Texts read(int[] examples, boolean[] dropped);

    /** The class of pipelines that read such captions. */
    String pipelineClass();

    /** What is trained, by the name of its part. */
    Map<String, Module> trained();

    /** Writes tokenizer and text encoder. */
    void write(HubFolder hub, DType dtype) throws IOException;

    /**
     * The captions of a data set's examples, in their order, as PixArt's pipelines read prompts.
     */
    static List<String> of(PictureFolder data) {
        return data.examples().stream().map(example -> Prompts.prepare(example.caption())).toList();
    }

    @Override
    void close();
}
