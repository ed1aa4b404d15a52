package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.training.data.TextCache.Texts;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Captions read by a text encoder that is trained along. */
final class TrainedCaptions implements Captions {
    private final Path tokenizerFolder;
    private final ObjectNode config;
    private final T5Encoder encoder;
    private final Tokenizer.Tokens[] captions;
    private final Tokenizer.Tokens none;
    private final int places;
    private final Device device;

    /**
     * @param tokenizerFolder where the tokenizer lies
     * @param config of the encoder
     * @param encoder in training; taken over
     * @param captions of the examples, in their order
     * @param places tokens of a caption; what is longer is cut
     */
    TrainedCaptions(
            Path tokenizerFolder,
            Tokenizer tokenizer,
            ObjectNode config,
            T5Encoder encoder,
            List<String> captions,
            int places) {
        this.tokenizerFolder = tokenizerFolder;
        this.config = config;
        this.encoder = encoder;
        this.places = places;
        this.captions =
                captions.stream()
                        .map(caption -> tokenizer.encode(caption, places))
                        .toArray(Tokenizer.Tokens[]::new);
        none = tokenizer.encode("", places);
        device = encoder.device();
    }

    @Override
    public Texts read(int[] examples, boolean[] dropped) {
        int n = examples.length;
        var ids = new long[n * places];
        var masks = new long[n * places];
        for (int i = 0; i < n; i++) {
            Tokenizer.Tokens tokens = dropped[i] ? none : captions[examples[i]];
            for (int j = 0; j < places; j++) {
                ids[i * places + j] = tokens.ids()[j];
                masks[i * places + j] = tokens.mask()[j] ? 1 : 0;
            }
        }
        Tensor mask = Tensor.copyOf(masks, n, places).to(device);
        return new Texts(encoder.forward(Tensor.copyOf(ids, n, places).to(device), mask), mask);
    }

    @Override
    public String pipelineClass() {
        return "PixArtAlphaPipeline";
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of("text_encoder", encoder);
    }

    @Override
    public void write(HubFolder hub, DType dtype) throws IOException {
        hub.copy("tokenizer", HubFolder.Library.TRANSFORMERS, "T5Tokenizer", tokenizerFolder);
        hub.network(
                "text_encoder",
                HubFolder.Library.TRANSFORMERS,
                "T5EncoderModel",
                config,
                encoder,
                dtype);
    }

    @Override
    public void close() {
        encoder.close();
    }
}
