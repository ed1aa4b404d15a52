package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Seeds;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.run.Trainer.End;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trains a network that denoises latents, from drawn weights: PixArt on captions, its text encoder
 * trained along, or DiT on classes.
 *
 * @param latents the data
 * @param dropout the share of samples that lose their condition
 * @param scheduler of the result, which says what the network predicts
 * @param transformer config of the network, what follows from other parts left out
 * @param text null for DiT
 * @param classField of the data's captions file, for DiT; null for the captions themselves
 * @param defaults how the result is sampled best
 */
record DiffusionStage(
        TrainingConfig config,
        LatentData.Config latents,
        Objective objective,
        double dropout,
        String scheduler,
        String transformer,
        @Nullable Text text,
        @Nullable String classField,
        Defaults defaults,
        Samples samples)
        implements Stage {
    /**
     * What reads captions.
     *
     * @param tokenizer its folder
     * @param encoder config of a T5 encoder that is trained along
     * @param places tokens of a caption
     */
    record Text(Path tokenizer, String encoder, int places) {}

    /** Of drawn weights. */
    private static final int NETWORK = 1;

    private static final int TEXT_ENCODER = 2;

    static DiffusionStage read(ConfigReader json, Places places) {
        String scheduler = required(json, "scheduler");
        String transformer = required(json, "transformer");
        String className = HubFolder.object(transformer).path("_class_name").asText();
        boolean isDit = className.equals(ClassConditioning.CLASS_NAME);
        if (!isDit && !className.equals(CaptionConditioning.CLASS_NAME)) {
            throw new IllegalArgumentException(
                    "transformer: _class_name must be "
                            + CaptionConditioning.CLASS_NAME
                            + " or "
                            + ClassConditioning.CLASS_NAME
                            + ", not "
                            + className);
        }
        Scheduler sampler = ConfigReader.of(scheduler, Scheduler::of);
        Text text =
                isDit
                        ? null
                        : new Text(
                                places.folder(json, "tokenizer"),
                                required(json, "text_encoder"),
                                json.integer("captionTokens", 120));
        return new DiffusionStage(
                TrainingConfig.of(json),
                LatentData.Config.of(json, places),
                json.section("objective", each -> Objectives.read(each, sampler)),
                json.number("dropout", 0.1),
                scheduler,
                transformer,
                text,
                isDit ? json.textOrNull("classField") : null,
                Output.defaults(json),
                json.section("samples", Samples::of));
    }

    /** A config in diffusers' form that must be there, as JSON. */
    static String required(ConfigReader json, String key) {
        String value = json.json(key);
        if (value == null) {
            throw new IllegalArgumentException(
                    key + " is missing; it is a config in diffusers' form");
        }
        return value;
    }

    @Override
    public End run(Path out, RunListener listener) throws IOException {
        var folder = PictureFolder.open(latents.folder());
        try (var data = LatentData.open(latents, folder, config, out, listener);
                var conditioning = conditioning(folder, data);
                var network =
                        Weights.random(
                                seed(NETWORK),
                                config.dtype(),
                                config.device(),
                                conditioning::network);
                var task = task(data, conditioning, network)) {
            var identity = new LinkedHashMap<>(data.identity());
            if (text != null) {
                identity.put("tokenizer", Inputs.hash(text.tokenizer()));
            }
            return new Trainer(out, config.identity(identity), config.runOptions(), listener)
                    .run(task);
        }
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return text == null
                ? DryRun.ofClasses(latents.folder(), new ClassLabels(classField), listener)
                : DryRun.ofCaptions(latents.folder(), text.tokenizer(), text.places(), listener);
    }

    private DenoisingTask task(
            LatentData data, Conditioning conditioning, DiffusionNetwork network) {
        network.train();
        Map<String, Module> trained = new LinkedHashMap<>();
        trained.put("transformer", network);
        trained.putAll(conditioning.trained());
        var output =
                new Output(
                        data,
                        conditioning,
                        HubFolder.object(scheduler),
                        defaults,
                        config,
                        samples,
                        null);
        return Building.with(
                config.optimizer().learner(trained),
                learner ->
                        new DenoisingTask(
                                data, conditioning, network, learner, objective, dropout, output));
    }

    private Conditioning conditioning(PictureFolder folder, LatentData data) throws IOException {
        ObjectNode json = HubFolder.object(transformer);
        int channels = data.autoencoder().latentChannels();
        fill(json, "in_channels", channels);
        fill(json, "out_channels", channels);
        fill(json, "sample_size", data.latentSize());
        if (text == null) {
            List<String> labels = new ClassLabels(classField).of(folder.examples());
            return new ClassConditioning(json, labels, config.device());
        }
        ObjectNode encoder = HubFolder.object(text.encoder());
        Tokenizer tokenizer = Tokenizers.load(text.tokenizer(), "T5Tokenizer");
        fill(encoder, "vocab_size", tokenizer.size());
        encoder.put("model_type", "t5").putArray("architectures").add("T5EncoderModel");
        T5Config t5 = ConfigReader.of(encoder.toString(), T5Config::of);
        int width =
                json.path("num_attention_heads").asInt(16)
                        * json.path("attention_head_dim").asInt(72);
        fill(json, "cross_attention_dim", width);
        fill(json, "caption_channels", t5.dModel());
        json.put("use_additional_conditions", false);
        List<String> captions = Captions.of(folder);
        T5Encoder drawn =
                Weights.random(
                        seed(TEXT_ENCODER),
                        config.dtype(),
                        config.device(),
                        w -> new T5Encoder(w, t5));
        return Building.with(
                drawn,
                trained -> {
                    trained.train();
                    var read =
                            new TrainedCaptions(
                                    text.tokenizer(),
                                    tokenizer,
                                    encoder,
                                    trained,
                                    captions,
                                    text.places());
                    return new CaptionConditioning(json, read);
                });
    }

    private static void fill(ObjectNode json, String key, int value) {
        if (!json.has(key)) {
            json.put(key, value);
        }
    }

    private long seed(int of) {
        return Seeds.of(config.seed(), of);
    }
}
