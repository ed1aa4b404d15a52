package dev.darkroom.models.family.pixart;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.text.PromptEncoder;
import dev.darkroom.models.vae.AutoencoderCodec;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import java.io.IOException;
import java.util.Objects;
import java.util.Set;

/**
 * PixArt-α (Chen et al. 2023, arXiv:2310.00426) and PixArt-Σ (Chen et al. 2024, arXiv:2403.04692):
 * a T5 encoder, the PixArt transformer, an autoencoder. With an LCM scheduler it is PixArt-LCM.
 */
public final class PixArt implements Family {
    private static final String ALPHA = "PixArtAlphaPipeline";
    private static final String SIGMA = "PixArtSigmaPipeline";
    private static final int ALPHA_TOKENS = 120;
    private static final int SIGMA_TOKENS = 300;
    private static final Defaults DEFAULTS = new Defaults(20, 4.5);

    /** The family. */
    public PixArt() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(ALPHA, SIGMA);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        String tokenizerClass =
                checkpoint.requirePart("tokenizer", "T5Tokenizer", "T5TokenizerFast");
        checkpoint.requirePart("text_encoder", "T5EncoderModel");
        checkpoint.requirePart("transformer", "PixArtTransformer2DModel", "Transformer2DModel");
        checkpoint.requirePart("vae", "AutoencoderKL");
        var samplers = SamplerChoice.read(checkpoint);
        var tokenizer = Tokenizers.load(checkpoint.folder().resolve("tokenizer"), tokenizerClass);
        Warnings warnings = checkpoint.warnings();
        var text = T5Config.read(checkpoint.file("text_encoder", "config.json"), warnings);
        var config = PixArtConfig.read(checkpoint.file("transformer", "config.json"), warnings);
        requireFit(checkpoint, tokenizer, text, config);
        T5Encoder textEncoder =
                checkpoint.network(
                        "text_encoder", WeightFiles.TRANSFORMERS, w -> new T5Encoder(w, text));
        PixArtTransformer transformer =
                checkpoint.network(
                        "transformer",
                        WeightFiles.DIFFUSERS,
                        w -> new PixArtTransformer(w, config));
        var codec = AutoencoderCodec.load(checkpoint, config.inChannels(), config.outChannels());
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

    /** Tells parts of different checkpoints apart that were put together by mistake. */
    private static void requireFit(
            Checkpoint checkpoint, Tokenizer tokenizer, T5Config text, PixArtConfig config)
            throws CheckpointException {
        if (tokenizer.size() > text.vocabSize()) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the tokenizer has "
                            + tokenizer.size()
                            + " tokens, the text encoder only "
                            + text.vocabSize());
        }
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
        return requested -> {
            var picture =
                    new Size(
                            Objects.requireNonNullElse(requested.height(), own),
                            Objects.requireNonNullElse(requested.width(), own));
            Size sampled =
                    requested.binning()
                            ? bins.map(b -> b.nearest(picture.height(), picture.width()))
                                    .orElse(picture)
                            : picture;
            if (sampled.height() % multiple != 0 || sampled.width() % multiple != 0) {
                throw new IllegalArgumentException(
                        "width and height must be multiples of "
                                + multiple
                                + " for this checkpoint, not "
                                + sampled);
            }
            return new Sizes.Chosen(picture, sampled);
        };
    }
}
