package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Trainable;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Seeds;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.run.Trainer.End;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Trains a network that denoises latents, from random weights: on captions, with a text encoder
 * that is trained along, or on classes.
 *
 * @param latents the data
 * @param dropout the share of samples that lose their condition
 * @param scheduler of the result, which says what the network predicts
 * @param type of the network
 * @param network its config, what follows from other parts left out
 * @param input captions or classes
 * @param defaults how the result is sampled best
 */
record DiffusionStage(
        TrainingConfig config,
        LatentData.Config latents,
        Objective objective,
        double dropout,
        ObjectNode scheduler,
        Trainable<?> type,
        ObjectNode network,
        Input input,
        Defaults defaults,
        Previews previews)
        implements Stage {
    /** What the network is conditioned on. */
    private sealed interface Input {}

    /**
     * Captions.
     *
     * @param type how the family reads them
     * @param tokenizer its folder
     * @param encoder config of a text encoder that is trained along
     * @param length of a caption in tokens
     */
    private record Text(TrainingInput.Text type, Path tokenizer, ObjectNode encoder, int length)
            implements Input {}

    /**
     * Classes.
     *
     * @param type how the family takes them
     * @param labels what names the class of a picture
     */
    private record Classes(TrainingInput.Classes type, ClassLabels labels) implements Input {}

    /** Seeds of random weights. */
    private static final int NETWORK = 1;

    private static final int TEXT_ENCODER = 2;

    static DiffusionStage read(ConfigReader json, StageContext context) {
        ObjectNode scheduler = required(json, "scheduler");
        Trainable<?> type = type(json, context.families());
        Scheduler sampler = ConfigReader.of(scheduler, Scheduler::of);
        return new DiffusionStage(
                TrainingConfig.of(json),
                LatentData.Config.of(json, context),
                json.section("objective", each -> Objectives.read(each, sampler)),
                json.number("dropout", 0.1),
                scheduler,
                type,
                required(json, type.network().name()),
                input(json, context, type.input()),
                ResultCheckpoint.defaults(json),
                json.section("samples", Previews::of));
    }

    private static Input input(ConfigReader json, StageContext context, TrainingInput type) {
        return switch (type) {
            case TrainingInput.Text text ->
                    new Text(
                            text,
                            context.folder(json, TrainingInput.Text.TOKENIZER),
                            required(json, text.encoder().name()),
                            json.integer("captionTokens", text.length()));
            case TrainingInput.Classes classes ->
                    new Classes(classes, new ClassLabels(json.textOrNull("classField")));
        };
    }

    /** Finds the type of the network whose config there is. */
    private static Trainable<?> type(ConfigReader json, Families families) {
        Map<String, List<Trainable<?>>> byPart =
                families.all().stream()
                        .map(Family::trainable)
                        .flatMap(Optional::stream)
                        .collect(
                                Collectors.groupingBy(
                                        type -> type.network().name(),
                                        LinkedHashMap::new,
                                        Collectors.toList()));
        String part =
                byPart.keySet().stream()
                        .filter(json::has)
                        .findFirst()
                        .orElse(String.join(" or ", byPart.keySet()));
        String className = required(json, part).path("_class_name").asText();
        List<Trainable<?>> types = byPart.getOrDefault(part, List.of());
        return types.stream()
                .filter(type -> type.network().className().equals(className))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        part
                                                + ": _class_name must be "
                                                + types.stream()
                                                        .map(type -> type.network().className())
                                                        .collect(Collectors.joining(" or "))
                                                + ", not "
                                                + className));
    }

    /** Returns a config in diffusers' form that must be there. */
    static ObjectNode required(ConfigReader json, String key) {
        ObjectNode value = json.objectOrNull(key);
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
                var conditioning = conditioning(folder)) {
            var architecture = type.architecture(network, data.sizes(conditioning));
            try (DiffusionNetwork trained =
                            Weights.random(
                                    seed(NETWORK),
                                    config.dtype(),
                                    config.device(),
                                    architecture::network);
                    var task = task(data, conditioning, architecture, trained)) {
                var identity = new LinkedHashMap<>(data.identity());
                if (input instanceof Text text) {
                    identity.put(TrainingInput.Text.TOKENIZER, FolderHash.of(text.tokenizer()));
                }
                return new Trainer(out, config.identity(identity), config.runOptions(), listener)
                        .run(task);
            }
        }
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return switch (input) {
            case Text text ->
                    DryRun.ofCaptions(
                            latents.folder(),
                            text.type(),
                            text.tokenizer(),
                            text.length(),
                            listener);
            case Classes classes -> DryRun.ofClasses(latents.folder(), classes.labels(), listener);
        };
    }

    private DenoisingTask task(
            LatentData data,
            Conditioning conditioning,
            Architecture<?, ?> architecture,
            DiffusionNetwork network) {
        network.train();
        Map<String, Module> trained = new LinkedHashMap<>();
        trained.put(architecture.part().name(), network);
        trained.putAll(conditioning.trained());
        var result =
                new ResultCheckpoint(
                        type.pipeline(),
                        architecture,
                        conditioning,
                        data,
                        scheduler,
                        defaults,
                        config,
                        previews,
                        null);
        return Building.with(
                config.optimizer().learner(trained),
                learner ->
                        new DenoisingTask(
                                data, conditioning, network, learner, objective, dropout, result));
    }

    private Conditioning conditioning(PictureFolder folder) throws IOException {
        return switch (input) {
            case Text text ->
                    new TrainedCaptions(
                            text.type(),
                            text.tokenizer(),
                            text.encoder().deepCopy(),
                            Captions.of(folder, text.type()),
                            text.length(),
                            seed(TEXT_ENCODER),
                            config.dtype(),
                            config.device());
            case Classes classes ->
                    new ClassConditioning(
                            classes.type(),
                            network,
                            classes.labels().of(folder.examples()),
                            config.device());
        };
    }

    private long seed(int of) {
        return Seeds.of(config.seed(), of);
    }
}
