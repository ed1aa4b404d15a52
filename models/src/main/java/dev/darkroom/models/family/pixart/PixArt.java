package dev.darkroom.models.family.pixart;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.models.family.DataSizes;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.models.family.Trainable;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.layers.TransformerOptions;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.vae.VaeCodec;
import dev.darkroom.tokenizers.Prompts;
import dev.darkroom.tokenizers.Tokenizer;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * PixArt-α (Chen et al. 2023, arXiv:2310.00426) and PixArt-Σ (Chen et al. 2024, arXiv:2403.04692):
 * a T5 encoder, the PixArt transformer, an autoencoder. With an LCM scheduler it is PixArt-LCM.
 */
public final class PixArt implements Family {
    private static final String ALPHA = "PixArtAlphaPipeline";
    private static final String SIGMA = "PixArtSigmaPipeline";
    private static final String SIZED = "use_additional_conditions";
    private static final int ALPHA_TOKENS = 120;
    private static final int SIGMA_TOKENS = 300;
    private static final TaskDefaults DEFAULTS = TaskDefaults.of(20, 4.5);

    private static final NetworkPart<T5Config, T5Encoder> TEXT_ENCODER =
            T5Encoder.part("text_encoder");

    private static final NetworkPart<PixArtConfig, PixArtTransformer> TRANSFORMER =
            new NetworkPart<>(
                    "transformer",
                    Library.DIFFUSERS,
                    List.of("PixArtTransformer2DModel", "Transformer2DModel"),
                    PixArtConfig::of,
                    PixArtTransformer::new);

    /** How prompts and captions are read. */
    static final TrainingInput.Text TEXT =
            new TrainingInput.Text(
                    TEXT_ENCODER,
                    "t5",
                    List.of("T5Tokenizer", "T5TokenizerFast"),
                    ALPHA_TOKENS,
                    Prompts::prepare,
                    PixArtConditioner::condition);

    /** The family. */
    public PixArt() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(ALPHA, SIGMA);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        TEXT.require(checkpoint);
        TRANSFORMER.require(checkpoint);
        VaeCodec.require(checkpoint);
        var samplers = SamplerChoice.read(checkpoint);
        Tokenizer tokenizer = TEXT.tokenizer(checkpoint);
        var text = TEXT_ENCODER.read(checkpoint);
        var network = TRANSFORMER.read(checkpoint);
        PixArtConfig config = network.config();
        requireFit(checkpoint, tokenizer, text.config(), config);
        T5Encoder textEncoder = text.load(checkpoint);
        PixArtTransformer transformer = network.load(checkpoint);
        var codec = VaeCodec.load(checkpoint, config.inChannels(), config.outChannels());
        var prompts = new PromptEncoder(tokenizer, textEncoder, checkpoint.options().device());
        return new Model(
                transformer,
                new PixArtConditioner(
                        prompts,
                        config.useAdditionalConditions(),
                        checkpoint.className().equals(ALPHA) ? ALPHA_TOKENS : SIGMA_TOKENS,
                        checkpoint.options().dtype()),
                codec,
                samplers,
                sizes(config, codec.pixelsPerLatent()),
                DEFAULTS);
    }

    @Override
    public Optional<Trainable<?>> trainable() {
        return Optional.of(
                new Trainable<>(
                        TRANSFORMER,
                        ALPHA,
                        TEXT,
                        PixArt::complete,
                        PixArt::requireTrainable,
                        TransformerOptions.GUIDANCE_CHANNELS));
    }

    private static void complete(ObjectNode json, DataSizes data) {
        ConfigWriter.fill(json, "in_channels", data.latentChannels());
        ConfigWriter.fill(json, "out_channels", data.latentChannels());
        ConfigWriter.fill(json, "sample_size", data.latentSize());
        int width =
                json.path("num_attention_heads").asInt(16)
                        * json.path("attention_head_dim").asInt(72);
        ConfigWriter.fill(json, "cross_attention_dim", width);
        ConfigWriter.fill(json, "caption_channels", data.conditionSize());
        if (!json.has(SIZED)) {
            json.put(SIZED, false);
        }
    }

    private static void requireTrainable(PixArtConfig config) {
        if (config.useAdditionalConditions()) {
            throw new IllegalArgumentException(
                    SIZED
                            + ": networks that are conditioned on the size of the picture are not"
                            + " trained yet; set it to false");
        }
    }

    /** Tells parts of different checkpoints apart that were put together by mistake. */
    private static void requireFit(
            Checkpoint checkpoint, Tokenizer tokenizer, T5Config text, PixArtConfig config)
            throws CheckpointException {
        PromptEncoder.requireFit(checkpoint, tokenizer, text.vocabSize());
        if (text.dModel() != config.textWidth()) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the text encoder is "
                            + text.dModel()
                            + " wide, the transformer takes a text of width "
                            + config.textWidth());
        }
    }

    /** Any size in whole patches; with bins, sampled at the nearest that was trained on. */
    private static Sizes sizes(PixArtConfig config, int pixelsPerLatent) {
        var bins = ResolutionBins.forSampleSize(config.sampleSize());
        int own = config.sampleSize() * pixelsPerLatent;
        int multiple = config.patchSize() * pixelsPerLatent;
        return Sizes.rounding(
                size -> bins.isPresent() ? size : Sizes.multiples(size, multiple),
                requested -> {
                    Size picture = requested.orElse(own);
                    Size sampled =
                            requested.binning()
                                    ? bins.map(b -> b.nearest(picture.height(), picture.width()))
                                            .orElse(picture)
                                    : picture;
                    Sizes.requireMultiple(sampled, multiple);
                    return new Sizes.Chosen(picture, sampled);
                });
    }
}
