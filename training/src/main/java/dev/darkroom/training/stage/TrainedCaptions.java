package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.tokenizers.Tokenizer;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Captions read by a text encoder that is trained along. */
final class TrainedCaptions implements Conditioning {
    private final TrainingInput.Text input;
    private final Path tokenizer;
    private final Architecture<?, ? extends TextEncoder> architecture;
    private final TextEncoder encoder;
    private final Tokenizer.Tokens[] captions;
    private final Tokenizer.Tokens none;
    private final int length;
    private final Device device;

    /**
     * Makes a text encoder.
     *
     * @param tokenizer its folder
     * @param config of the encoder, without what follows from the tokenizer
     * @param captions of the examples, in their order
     * @param length of a caption in tokens; what is longer is cut
     * @param seed of the encoder's weights
     */
    TrainedCaptions(
            TrainingInput.Text input,
            Path tokenizer,
            ObjectNode config,
            List<String> captions,
            int length,
            long seed,
            DType dtype,
            Device device)
            throws IOException {
        this.input = input;
        this.tokenizer = tokenizer;
        this.length = length;
        this.device = device;
        Tokenizer reader = input.tokenizer(tokenizer);
        this.captions =
                captions.stream()
                        .map(caption -> reader.encode(caption, length))
                        .toArray(Tokenizer.Tokens[]::new);
        none = reader.encode(Captions.NONE, length);
        ConfigWriter.fill(config, "vocab_size", reader.size());
        config.put("model_type", input.modelType());
        config.putArray("architectures").add(input.encoder().className());
        architecture = input.encoder().of(config);
        encoder = Weights.random(seed, dtype, device, architecture::network);
        encoder.train();
    }

    @Override
    public int size() {
        return encoder.width();
    }

    @Override
    public Condition batch(int[] examples, boolean[] dropped) {
        int n = examples.length;
        var ids = new long[n * length];
        var masks = new long[n * length];
        for (int i = 0; i < n; i++) {
            Tokenizer.Tokens tokens = dropped[i] ? none : captions[examples[i]];
            for (int j = 0; j < length; j++) {
                ids[i * length + j] = tokens.ids()[j];
                masks[i * length + j] = tokens.mask()[j] ? 1 : 0;
            }
        }
        Tensor mask = Tensor.copyOf(masks, n, length).to(device);
        return input.condition()
                .apply(encoder.encode(Tensor.copyOf(ids, n, length).to(device), mask));
    }

    @Override
    public Map<String, Module> trained() {
        return Map.of(architecture.part().name(), encoder);
    }

    @Override
    public void write(CheckpointWriter writer, DType dtype) throws IOException {
        writer.copy(
                TrainingInput.Text.TOKENIZER,
                Library.TRANSFORMERS,
                input.tokenizers().getFirst(),
                tokenizer,
                null);
        writer.network(architecture, encoder, dtype);
    }

    @Override
    public void close() {
        encoder.close();
    }
}
