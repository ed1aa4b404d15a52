package dev.darkroom.models.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.pixart.PixArtConfig;
import dev.darkroom.models.pixart.PixArtTransformer;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.tokenizer.Tokenizer;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** PixArt's captions, and the text encoder that reads them. */
final class CaptionConditioning implements Conditioning {
    static final String CLASS_NAME = "PixArtTransformer2DModel";

    private final ObjectNode json;
    private final PixArtConfig config;
    private final Path tokenizerFolder;
    private final ObjectNode textConfig;
    private final T5Encoder textEncoder;
    private final Tokenizer.Tokens[] captions;
    private final Tokenizer.Tokens none;
    private final int places;
    private final Device device;

    /**
     * @param json the network's config
     * @param tokenizerFolder where the tokenizer lies
     * @param textEncoder taken over; trained along if it is in training
     * @param captions of the examples
     * @param places tokens of a caption; what is longer is cut
     */
    CaptionConditioning(
            ObjectNode json,
            Path tokenizerFolder,
            Tokenizer tokenizer,
            ObjectNode textConfig,
            T5Encoder textEncoder,
            List<String> captions,
            int places) {
        this.json = json;
        config = ConfigReader.of(json.toString(), PixArtConfig::of);
        if (config.useAdditionalConditions()) {
            throw new IllegalArgumentException(
                    "use_additional_conditions: networks that are conditioned on the size of the"
                            + " picture are not trained yet; set it to false");
        }
        this.tokenizerFolder = tokenizerFolder;
        this.textConfig = textConfig;
        this.textEncoder = textEncoder;
        this.places = places;
        this.captions =
                captions.stream()
                        .map(caption -> encode(tokenizer, caption))
                        .toArray(Tokenizer.Tokens[]::new);
        none = encode(tokenizer, "");
        device = textEncoder.device();
    }

    /** As PixArt's pipelines read a prompt. */
    private Tokenizer.Tokens encode(Tokenizer tokenizer, String caption) {
        return tokenizer.encode(caption.toLowerCase(Locale.ROOT).strip(), places);
    }

    @Override
    public Module network(Weights w) {
        return new PixArtTransformer(w, config);
    }

    @Override
    public Batch batch(int[] examples, boolean[] dropped) {
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
        Tensor states; // [N,L,E]
        Mode mode = Mode.current();
        boolean records = mode.recordsGradients() && textEncoder.isTraining();
        try (var guard = mode.withGradients(records).enter()) {
            states = textEncoder.forward(Tensor.copyOf(ids, n, places).to(device), mask);
        }
        return network -> {
            var pixArt = (PixArtTransformer) network;
            var text = pixArt.prepare(states.to(pixArt.dtype()), mask);
            return (x, timesteps, guidance) -> pixArt.forward(x, timesteps, text, null);
        };
    }

    @Override
    public Map<String, Module> trained() {
        return textEncoder.isTraining() ? Map.of("text_encoder", textEncoder) : Map.of();
    }

    @Override
    public String pipelineClass() {
        return "PixArtAlphaPipeline";
    }

    @Override
    public ObjectNode config() {
        return json;
    }

    @Override
    public void write(HubFolder hub, DType dtype) throws IOException {
        hub.copy("tokenizer", HubFolder.Library.TRANSFORMERS, "T5Tokenizer", tokenizerFolder);
        hub.network(
                "text_encoder",
                HubFolder.Library.TRANSFORMERS,
                "T5EncoderModel",
                textConfig,
                textEncoder,
                dtype);
    }

    @Override
    public void close() {
        textEncoder.close();
    }
}
