package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Warnings;
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

/**
 * Trains low-rank adapters of a checkpoint's network. The folder of the run becomes the checkpoint
 * with the adapters merged in; they themselves lie in {@code lora}, in PEFT's files.
 *
 * @param base what is adapted
 * @param adapters which layers, and how
 * @param defaults how the result is sampled best; where nothing is said, as its base
 */
record LoraStage(
        TrainingConfig config,
        LatentData.Config latents,
        BaseCheckpoint base,
        LoraConfig adapters,
        Objective objective,
        double dropout,
        Defaults defaults,
        Previews previews)
        implements Stage {
    static LoraStage read(ConfigReader json, StageContext context) {
        BaseCheckpoint base = BaseCheckpoint.of(json, context, "base");
        return new LoraStage(
                TrainingConfig.of(json),
                LatentData.Config.of(json, context, base),
                base,
                json.section("lora", LoraStage::adapters),
                json.section("objective", each -> Objectives.read(each, base.samplers().own())),
                json.number("dropout", 0.1),
                ResultCheckpoint.defaults(json),
                json.section("samples", Previews::of));
    }

    /** Returns which layers are adapted: the section {@code lora} of a config. */
    static LoraConfig adapters(ConfigReader json) {
        int rank = json.integer("rank", 16);
        return new LoraConfig(
                rank, json.number("alpha", rank), json.texts("targets", LoraConfig.ATTENTION));
    }

    @Override
    public End run(Path out, RunListener listener) throws IOException {
        var folder = PictureFolder.open(latents.folder());
        Warnings warnings = base.warnings(listener);
        try (var data = LatentData.open(latents, folder, config, out, listener);
                var conditioning = base.conditioning(folder, out, warnings, listener);
                var checkpoint = base.open(config.dtype(), config.device(), warnings)) {
            var architecture = base.type().architecture(checkpoint);
            DiffusionNetwork network = architecture.load(checkpoint);
            try (var noise = new Generator(Seeds.of(config.seed(), 1));
                    var lora = Lora.create(network, adapters, noise);
                    var task = task(data, conditioning, architecture, network, lora)) {
                var identity = new LinkedHashMap<>(data.identity());
                identity.putAll(base.identity("base"));
                return new Trainer(out, config.identity(identity), config.runOptions(), listener)
                        .run(task);
            }
        }
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return base.dryRun(latents.folder(), listener);
    }

    private DenoisingTask task(
            LatentData data,
            Conditioning conditioning,
            Architecture<?, ?> architecture,
            DiffusionNetwork network,
            Lora lora) {
        lora.train(true);
        var result =
                new ResultCheckpoint(
                        base.checkpoint().className(),
                        architecture,
                        conditioning,
                        data,
                        base.samplers().config(),
                        defaults.orElse(base.defaults()),
                        config,
                        previews,
                        lora);
        return Building.with(
                config.optimizer().learnerOf(lora.parameters(), network),
                learner ->
                        new DenoisingTask(
                                data, conditioning, network, learner, objective, dropout, result));
    }
}
