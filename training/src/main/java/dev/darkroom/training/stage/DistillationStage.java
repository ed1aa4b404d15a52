package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.objective.Distance;
import dev.darkroom.training.objective.LatentConsistency;
import dev.darkroom.training.run.Learner;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Seeds;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.run.Trainer.End;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Distils a student of few steps from a checkpoint: latent consistency (Luo et al. 2023,
 * arXiv:2310.04378).
 *
 * @param teacher what it is distilled from, and what the student's other parts are
 * @param student how
 * @param defaults how the student is sampled best; where nothing is said, in four steps
 */
record DistillationStage(
        TrainingConfig config,
        LatentData.Config latents,
        BaseCheckpoint teacher,
        Student student,
        Defaults defaults,
        Previews previews)
        implements Stage {
    /**
     * How the student is made. Guidance is as at sampling: w + 1.
     *
     * @param leastGuidance of the teacher
     * @param greatestGuidance of the teacher; equal to the least for a student of one guidance
     * @param gridSteps timesteps of the grid
     * @param timestepScaling in the boundary conditions
     * @param huber c of the pseudo-Huber distance; null for the squared distance
     * @param targetDecay of the moving average that sets the targets
     * @param guidanceChannels sinusoids of the guidance that the student is conditioned on, so that
     *     it can be chosen at sampling; null for a student of one guidance
     * @param adapters null for a network of its own; else the student is the teacher with adapters,
     *     and its own target (LCM-LoRA: Luo et al. 2023, arXiv:2311.05556)
     */
    record Student(
            double leastGuidance,
            double greatestGuidance,
            int gridSteps,
            double timestepScaling,
            @Nullable Double huber,
            double targetDecay,
            @Nullable Integer guidanceChannels,
            @Nullable LoraConfig adapters) {
        private static final int STEPS = 4;

        Student {
            if (adapters != null && guidanceChannels != null) {
                throw new IllegalArgumentException(
                        "guidanceChannels: adapters can't be conditioned on the guidance; leave it"
                                + " out, and distil for one");
            }
        }

        static Student of(ConfigReader json) {
            double least = json.number("leastGuidance", 4);
            return new Student(
                    least,
                    json.number("greatestGuidance", least),
                    json.integer("gridSteps", 50),
                    json.number("timestepScaling", 10),
                    huber(json),
                    json.number("targetDecay", 0.95),
                    json.integerOrNull("guidanceChannels"),
                    json.has("lora") ? json.section("lora", LoraStage::adapters) : null);
        }

        /**
         * Returns the paper's, but not where the student is its own target: see LatentConsistency.
         */
        private static @Nullable Double huber(ConfigReader json) {
            return json.has("huber") || json.has("lora")
                    ? json.numberOrNull("huber")
                    : Double.valueOf(0.001);
        }

        LatentConsistency objective(Scheduler ofTeacher) {
            return new LatentConsistency(
                    schedule(ofTeacher),
                    ofTeacher.process().trained(),
                    gridSteps,
                    timestepScaling,
                    leastGuidance - 1,
                    greatestGuidance - 1,
                    huber == null ? Distance.SQUARED : Distance.pseudoHuber(huber));
        }

        private static NoiseSchedule schedule(Scheduler ofTeacher) {
            NoiseSchedule schedule = ofTeacher.process().schedule();
            if (schedule == null) {
                throw new IllegalArgumentException(
                        "a teacher made by flow matching can't be distilled by latent"
                                + " consistency");
            }
            return schedule;
        }

        /**
         * Returns four steps; without guidance, as it has learned that, or with the middle of its
         * range if it is conditioned on the guidance.
         */
        Defaults defaults() {
            return new Defaults(
                    STEPS, guidanceChannels == null ? 1 : (leastGuidance + greatestGuidance) / 2);
        }

        /**
         * Returns the scheduler of the student: the teacher's betas and prediction, LCM's steps.
         */
        ObjectNode scheduler(ObjectNode ofTeacher) {
            ObjectNode own = JsonNodeFactory.instance.objectNode();
            own.put("_class_name", "LCMScheduler");
            own.put("original_inference_steps", gridSteps);
            own.put("timestep_scaling", timestepScaling);
            own.put("clip_sample", false).put("set_alpha_to_one", true);
            for (String kept :
                    new String[] {
                        "beta_start",
                        "beta_end",
                        "beta_schedule",
                        "trained_betas",
                        "num_train_timesteps",
                        "prediction_type",
                        "rescale_betas_zero_snr"
                    }) {
                if (ofTeacher.has(kept)) {
                    own.set(kept, ofTeacher.get(kept));
                }
            }
            return own;
        }
    }

    static DistillationStage read(ConfigReader json, StageContext context) {
        BaseCheckpoint teacher = BaseCheckpoint.of(json, context, "teacher");
        return new DistillationStage(
                TrainingConfig.of(json),
                LatentData.Config.of(json, context, teacher),
                teacher,
                json.section("student", Student::of),
                ResultCheckpoint.defaults(json),
                json.section("samples", Previews::of));
    }

    @Override
    public End run(Path out, RunListener listener) throws IOException {
        var folder = PictureFolder.open(latents.folder());
        LatentConsistency objective = student.objective(teacher.samplers().own());
        Warnings warnings = teacher.warnings(listener);
        try (var data = LatentData.open(latents, folder, config, out, listener);
                var conditioning = teacher.conditioning(folder, out, warnings, listener);
                var checkpoint = teacher.open(config.dtype(), config.device(), warnings)) {
            var architecture = teacher.type().architecture(checkpoint);
            DiffusionNetwork frozen = architecture.load(checkpoint);
            try (var task = task(data, conditioning, objective, architecture, frozen)) {
                var identity = new LinkedHashMap<>(data.identity());
                identity.putAll(teacher.identity("teacher"));
                return new Trainer(out, config.identity(identity), config.runOptions(), listener)
                        .run(task);
            }
        }
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return teacher.dryRun(latents.folder(), listener);
    }

    private ConsistencyTask task(
            LatentData data,
            Conditioning conditioning,
            LatentConsistency objective,
            Architecture<?, ? extends DiffusionNetwork> ofTeacher,
            DiffusionNetwork frozen) {
        Integer channels = student.guidanceChannels();
        Architecture<?, ? extends DiffusionNetwork> architecture =
                channels == null
                        ? ofTeacher
                        : teacher.type().withGuidance(ofTeacher.json(), channels);
        String part = architecture.part().name();
        return Building.with(
                student.adapters() == null ? three(frozen, architecture) : adapted(frozen),
                networks -> {
                    var result =
                            new ResultCheckpoint(
                                    teacher.checkpoint().className(),
                                    architecture,
                                    conditioning,
                                    data,
                                    student.scheduler(teacher.samplers().config()),
                                    defaults.orElse(student.defaults()),
                                    config,
                                    previews,
                                    networks.adapters());
                    return Building.with(
                            learner(networks, part),
                            learner ->
                                    new ConsistencyTask(
                                            data,
                                            conditioning,
                                            networks,
                                            learner,
                                            part,
                                            objective,
                                            result));
                });
    }

    private Learner learner(ConsistencyTask.Networks networks, String part) {
        Lora adapters = networks.adapters();
        return adapters == null
                ? config.optimizer()
                        .withoutRamp(student.targetDecay())
                        .learner(Map.of(part, networks.student()))
                : config.optimizer().learnerOf(adapters.parameters(), networks.teacher());
    }

    private ConsistencyTask.Networks three(
            DiffusionNetwork frozen, Architecture<?, ? extends DiffusionNetwork> architecture) {
        return Building.with(
                copy(frozen, architecture),
                trained -> {
                    trained.train();
                    DiffusionNetwork target = copy(frozen, architecture);
                    return new ConsistencyTask.Networks(frozen, trained, target, null);
                });
    }

    /** Makes a student that begins as its teacher; what only the student has begins as zero. */
    private DiffusionNetwork copy(
            DiffusionNetwork frozen, Architecture<?, ? extends DiffusionNetwork> architecture) {
        DiffusionNetwork random =
                Weights.random(0, config.dtype(), config.device(), architecture::network);
        return Building.with(
                random,
                made -> {
                    var parameters = made.parameters();
                    frozen.parameters()
                            .forEach(
                                    (name, parameter) ->
                                            Objects.requireNonNull(parameters.get(name), name)
                                                    .value()
                                                    .copyInPlace(parameter.value()));
                    return made;
                });
    }

    private ConsistencyTask.Networks adapted(DiffusionNetwork frozen) {
        try (var noise = new Generator(Seeds.of(config.seed(), 1))) {
            return Building.with(
                    Lora.create(frozen, Objects.requireNonNull(student.adapters()), noise),
                    lora -> {
                        lora.train(true);
                        return new ConsistencyTask.Networks(frozen, frozen, frozen, lora);
                    });
        }
    }
}
