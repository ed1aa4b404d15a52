package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.data.TextCache;
import dev.darkroom.training.run.RunListener;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Captions that a checkpoint's text encoder has read once. */
final class FrozenCaptions implements Conditioning {
    private final BaseCheckpoint base;
    private final TextCache cache;
    private final List<String> captions;
    private final int width;

    private FrozenCaptions(BaseCheckpoint base, TextCache cache, List<String> captions, int width) {
        this.base = base;
        this.cache = cache;
        this.captions = captions;
        this.width = width;
    }

    /**
     * Reads the captions of a data set, unless an earlier run did.
     *
     * @param file where what the encoder makes of them is kept
     */
    static FrozenCaptions read(
            BaseCheckpoint base,
            PictureFolder data,
            Path file,
            Warnings warnings,
            RunListener listener)
            throws IOException {
        TrainingInput.Text input = base.input();
        List<String> captions = Captions.of(data, input);
        List<String> all = new ArrayList<>(captions);
        all.add(Captions.NONE);
        try (Checkpoint checkpoint = base.open(DType.FLOAT32, Device.CPU, warnings)) {
            Tokenizer tokenizer = input.tokenizer(checkpoint);
            TextEncoder encoder = input.encoder().read(checkpoint).load(checkpoint);
            var cache =
                    TextCache.openOrMake(
                            file,
                            all,
                            encoder,
                            tokenizer,
                            base.textLength(),
                            LatentData.watching(listener));
            return new FrozenCaptions(base, cache, captions, encoder.width());
        }
    }

    @Override
    public int size() {
        return width;
    }

    @Override
    public Condition batch(int[] examples, boolean[] dropped) {
        List<String> read = new ArrayList<>();
        for (int i = 0; i < examples.length; i++) {
            read.add(dropped[i] ? Captions.NONE : captions.get(examples[i]));
        }
        return base.input().condition().apply(cache.of(read));
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of();
    }

    @Override
    public void write(CheckpointWriter writer, DType dtype) throws IOException {
        base.copy(TrainingInput.Text.TOKENIZER, Library.TRANSFORMERS, null, writer);
        base.copy(base.input().encoder().name(), Library.TRANSFORMERS, base.variant(), writer);
    }

    @Override
    public void close() {
        cache.close();
    }
}
