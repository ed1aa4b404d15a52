package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.pixart.PixArtConfig;
import dev.darkroom.models.pixart.PixArtSize;
import dev.darkroom.models.pixart.PixArtText;
import dev.darkroom.models.pixart.PixArtTransformer;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Prompts;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.Objects;
import java.util.Optional;

/**
 * PixArt-α (Chen et al. 2023, arXiv:2310.00426) and PixArt-Σ (Chen et al. 2024, arXiv:2403.04692):
 * a T5 encoder, the PixArt transformer, an autoencoder. With an LCM scheduler it is PixArt-LCM.
 */
final class PixArtPipeline extends LatentPipeline {
    private static final Defaults DEFAULTS = new Defaults(20, 4.5);
    private static final int ALPHA_TOKENS = 120;
    private static final int SIGMA_TOKENS = 300;

    /** Far beyond what any text encoder reads; more is a mistake, such as a file's content. */
    private static final int MAX_CHARACTERS = 10_000;

    private final Tokenizer tokenizer;
    private final T5Encoder textEncoder;
    private final PixArtTransformer transformer;
    private final Optional<ResolutionBins> bins;
    private final int defaultTokens;
    private final boolean isAlpha;

    private PixArtPipeline(
            Checkpoint checkpoint,
            Scheduler scheduler,
            Tokenizer tokenizer,
            T5Encoder textEncoder,
            PixArtTransformer transformer,
            AutoencoderKl vae)
            throws IOException {
        super(checkpoint, vae, scheduler, DEFAULTS, transformer.config().timeCondProjDim() != null);
        this.tokenizer = tokenizer;
        this.textEncoder = textEncoder;
        this.transformer = transformer;
        bins = ResolutionBins.forSampleSize(transformer.config().sampleSize());
        isAlpha = checkpoint.className().equals("PixArtAlphaPipeline");
        defaultTokens = isAlpha ? ALPHA_TOKENS : SIGMA_TOKENS;
    }

    static PixArtPipeline load(Checkpoint checkpoint) throws IOException {
        String tokenizerClass =
                checkpoint.requirePart("tokenizer", "T5Tokenizer", "T5TokenizerFast");
        checkpoint.requirePart("text_encoder", "T5EncoderModel");
        checkpoint.requirePart("transformer", "PixArtTransformer2DModel", "Transformer2DModel");
        checkpoint.requirePart("vae", "AutoencoderKL");
        Scheduler scheduler = Scheduler.read(checkpoint);
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
        AutoencoderKl vae = checkpoint.autoencoder(config.inChannels(), config.outChannels());
        return new PixArtPipeline(checkpoint, scheduler, tokenizer, textEncoder, transformer, vae);
    }

    /** Tells parts of different checkpoints apart that were put together by mistake. */
    private static void requireFit(
            Checkpoint checkpoint, Tokenizer tokenizer, T5Config text, PixArtConfig config) {
        if (tokenizer.size() > text.vocabSize()) {
            throw new PipelineException(
                    checkpoint.folder()
                            + ": the tokenizer has "
                            + tokenizer.size()
                            + " tokens, the text encoder only "
                            + text.vocabSize());
        }
        if (text.dModel() != config.textWidth()) {
            throw new PipelineException(
                    checkpoint.folder()
                            + ": the text encoder is "
                            + text.dModel()
                            + " wide, the transformer takes a text of width "
                            + config.textWidth());
        }
    }

    @Override
    Plan plan(SampleRequest request) {
        requireText(request);
        PixArtConfig config = transformer.config();
        int own = config.sampleSize() * pixelsPerLatent();
        int height = request.height() == null ? own : request.height();
        int width = request.width() == null ? own : request.width();
        var picture = new ResolutionBins.Size(height, width);
        var sampled =
                request.binning()
                        ? bins.map(b -> b.nearest(height, width)).orElse(picture)
                        : picture;
        int multiple = pixelsPerLatent() * config.patchSize();
        if (sampled.height() % multiple != 0 || sampled.width() % multiple != 0) {
            throw new PipelineException(
                    "width and height must be multiples of "
                            + multiple
                            + " for this checkpoint, not "
                            + sampled.width()
                            + "×"
                            + sampled.height());
        }
        return new Plan(
                request,
                steps(request),
                guidanceScale(request),
                guidanceIsTold(),
                picture,
                sampled);
    }

    private static void requireText(SampleRequest request) {
        if (!request.classes().isEmpty()) {
            throw new PipelineException(
                    "this checkpoint takes a prompt, not a class; say in words what to draw");
        }
        String prompt = request.prompt();
        if (prompt == null) {
            throw new PipelineException(
                    "there is no prompt; say in words what to draw, or give an empty text for"
                            + " nothing in particular");
        }
        int longest = Math.max(prompt.length(), request.negativePrompt().length());
        if (longest > MAX_CHARACTERS) {
            throw new PipelineException(
                    "a prompt has at most "
                            + MAX_CHARACTERS
                            + " characters, not "
                            + longest
                            + "; the text encoder reads only its beginning");
        }
    }

    @Override
    Network condition(Plan plan, Trace trace, Notes notes) {
        SampleRequest request = plan.request();
        int places = request.maxTokens() == null ? defaultTokens : request.maxTokens();
        String prompt = Objects.requireNonNull(request.prompt());
        notes.used("prompt", prompt);
        notes.used("negativePrompt", request.negativePrompt());
        notes.used("maxTokens", places);
        Text text = encode("prompt", prompt, places, trace, notes);
        if (plan.isGuided()) {
            Text negative = encode("negative", request.negativePrompt(), places, trace, notes);
            text = negative.repeated(request.batch()).then(text.repeated(request.batch()));
        } else {
            text = text.repeated(request.batch());
        }
        Finite.require(
                text.embeds(),
                "the text encoder's states",
                dtype().bytes() < 4 ? FLOAT32 : "the text encoder's weights may be broken");
        PixArtText prepared = transformer.prepare(text.embeds(), text.mask());
        PixArtSize size = size(plan);
        Tensor guidance = plan.toldGuidance(device());
        return (x, timestep) ->
                transformer.forward(
                        x.to(dtype()),
                        Tensor.full(Shape.of(1), timestep, DType.FLOAT32, device()),
                        prepared,
                        size,
                        guidance);
    }

    private @Nullable PixArtSize size(Plan plan) {
        return transformer.config().useAdditionalConditions()
                ? PixArtSize.of(plan.sampled().height(), plan.sampled().width(), dtype())
                : null;
    }

    /**
     * A text's states.
     *
     * @param embeds {@code [N,L,D]}
     * @param mask int64 {@code [N,L]}, 1 for tokens
     */
    private record Text(Tensor embeds, Tensor mask) {
        Text repeated(long times) {
            return times == 1
                    ? this
                    : new Text(embeds.repeatInterleave(times, 0), mask.repeatInterleave(times, 0));
        }

        Text then(Text other) {
            return new Text(Ops.cat(0, embeds, other.embeds), Ops.cat(0, mask, other.mask));
        }
    }

    private Text encode(String name, String text, int places, Trace trace, Notes notes) {
        Tokenizer.Tokens tokens = tokenizer.encode(Prompts.prepare(text), places);
        warnOfLength(name, tokens.unpaddedLength(), places, notes);
        Tensor ids = Tensor.copyOf(tokens.ids(), 1, places).to(DType.INT64);
        Tensor mask = Tensor.copyOf(tokens.mask(), 1, places).to(DType.INT64);
        try (var scope = TensorScope.open()) {
            Tensor onDevice = scope.keep(mask.to(device()));
            Tensor embeds = scope.keep(textEncoder.forward(ids.to(device()), onDevice)); // [1,L,D]
            trace.named(name + "_embeds", embeds);
            trace.named(name + "_mask", mask);
            return new Text(embeds, onDevice);
        }
    }

    /**
     * Says what was cut, and what the model was not trained on: as in diffusers, the text length
     * does not depend on the tokenizer's {@code model_max_length}.
     */
    private void warnOfLength(String name, int length, int places, Notes notes) {
        String text =
                (name.equals("prompt") ? "the prompt has " : "the negative prompt has ") + length;
        if (length > places) {
            notes.warn(text + " tokens; only the first " + places + " were used");
        }
        int trained = tokenizer.maxLength();
        if (trained < Math.min(length, places)) {
            notes.warn(
                    text
                            + " tokens, more than the "
                            + trained
                            + " that the model was trained on; a shorter text gives a better"
                            + " picture");
        }
    }

    @Override
    long latentChannels() {
        return transformer.config().inChannels();
    }

    @Override
    long activationBytes(Plan plan) {
        return transformerBytes(
                plan, transformer.config().patchSize(), transformer.config().width());
    }
}
