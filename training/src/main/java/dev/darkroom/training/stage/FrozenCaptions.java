package dev.darkroom.training.stage;

import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.data.TextCache;
import dev.darkroom.training.data.TextCache.Texts;
import dev.darkroom.training.run.RunListener;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Captions that a checkpoint's text encoder has read once. */
final class FrozenCaptions implements Captions {
    private static final String NONE = "";

    private final Source source;
    private final TextCache cache;
    private final List<String> captions;

    private FrozenCaptions(Source source, TextCache cache, List<String> captions) {
        this.source = source;
        this.cache = cache;
        this.captions = captions;
    }

    /**
     * Reads the captions of a data set, unless an earlier run did.
     *
     * @param file where what the encoder makes of them is kept
     */
    static FrozenCaptions read(Source source, PictureFolder data, Path file, RunListener listener)
            throws IOException {
        Tokenizer tokenizer = Tokenizers.load(source.part("tokenizer"), null);
        Warnings warnings = Warnings.passedTo(listener::warned);
        T5Config config =
                T5Config.read(source.part("text_encoder").resolve("config.json"), warnings);
        List<String> captions = Captions.of(data);
        List<String> all = new ArrayList<>(captions);
        all.add(NONE);
        try (var encoder =
                Inputs.network(
                        source.part("text_encoder"),
                        WeightFiles.TRANSFORMERS,
                        DType.FLOAT32,
                        Device.CPU,
                        warnings,
                        (weights, dtype, device, told) ->
                                Weights.load(
                                        weights,
                                        dtype,
                                        device,
                                        told,
                                        w -> new T5Encoder(w, config)))) {
            var cache =
                    TextCache.openOrMake(
                            file,
                            all,
                            encoder,
                            tokenizer,
                            source.places(),
                            LatentData.watching(listener));
            return new FrozenCaptions(source, cache, captions);
        }
    }

    @Override
    public Texts read(int[] examples, boolean[] dropped) {
        List<String> read = new ArrayList<>();
        for (int i = 0; i < examples.length; i++) {
            read.add(dropped[i] ? NONE : captions.get(examples[i]));
        }
        return cache.of(read);
    }

    @Override
    public String pipelineClass() {
        return source.index().path("_class_name").asText();
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of();
    }

    @Override
    public void write(HubFolder hub, DType dtype) throws IOException {
        for (String part : new String[] {"tokenizer", "text_encoder"}) {
            String className = source.index().path(part).path(1).asText();
            hub.copy(part, HubFolder.Library.TRANSFORMERS, className, source.part(part));
        }
    }

    @Override
    public void close() {
        cache.close();
    }
}
