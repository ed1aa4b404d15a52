package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.dit.DitConfig;
import dev.darkroom.models.dit.DitTransformer;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Prompts;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** DiT (Peebles and Xie 2023, arXiv:2212.09748): pictures of a class. */
final class DitPipeline extends LatentPipeline {
    private static final Defaults DEFAULTS = new Defaults(50, 4.0);
    private static final int SHOWN_LABELS = 12;

    private final DitTransformer transformer;
    private final Map<String, Integer> labels;

    private DitPipeline(
            Checkpoint checkpoint,
            Scheduler scheduler,
            DitTransformer transformer,
            AutoencoderKl vae,
            Map<String, Integer> labels)
            throws IOException {
        super(checkpoint, vae, scheduler, DEFAULTS, transformer.config().timeCondProjDim() != null);
        this.transformer = transformer;
        this.labels = labels;
    }

    static DitPipeline load(Checkpoint checkpoint) throws IOException {
        checkpoint.requirePart("transformer", "DiTTransformer2DModel", "Transformer2DModel");
        checkpoint.requirePart("vae", "AutoencoderKL");
        Scheduler scheduler = Scheduler.read(checkpoint);
        var config =
                DitConfig.read(
                        checkpoint.file("transformer", "config.json"), checkpoint.warnings());
        DitTransformer transformer =
                checkpoint.network(
                        "transformer", WeightFiles.DIFFUSERS, w -> new DitTransformer(w, config));
        AutoencoderKl vae = checkpoint.autoencoder(config.inChannels(), config.outChannels());
        return new DitPipeline(checkpoint, scheduler, transformer, vae, labels(checkpoint, config));
    }

    /** Class numbers by label; {@code id2label} gives a number several labels, split by commas. */
    private static Map<String, Integer> labels(Checkpoint checkpoint, DitConfig config) {
        Map<String, Integer> numbers = new TreeMap<>();
        checkpoint
                .labels()
                .forEach(
                        (number, names) -> {
                            int id = number(number, config);
                            if (id < 0) {
                                throw new PipelineException(
                                        checkpoint.folder()
                                                + ": id2label in model_index.json names"
                                                + " the class "
                                                + number
                                                + ", but the transformer has "
                                                + config.numEmbedsAdaNorm());
                            }
                            for (String name : names.split(",", -1)) {
                                numbers.put(Prompts.prepare(name), id);
                            }
                        });
        return numbers;
    }

    /** A class number, or −1 if the text is none. */
    private static int number(String text, DitConfig config) {
        try {
            int id = Integer.parseInt(text);
            return id < config.numEmbedsAdaNorm() ? id : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    @Override
    Plan plan(SampleRequest request) {
        if (request.prompt() != null || !request.negativePrompt().isEmpty()) {
            throw new PipelineException(
                    "this checkpoint draws classes and takes no prompt; name a class instead");
        }
        int size = transformer.config().sampleSize() * pixelsPerLatent();
        requireSize("width", request.width(), size);
        requireSize("height", request.height(), size);
        var picture = new ResolutionBins.Size(size, size);
        return new Plan(
                request,
                steps(request),
                guidanceScale(request),
                guidanceIsTold(),
                picture,
                picture);
    }

    private static void requireSize(String what, @Nullable Integer asked, int size) {
        if (asked != null && asked != size) {
            throw new PipelineException(
                    "this checkpoint makes pictures of "
                            + size
                            + "×"
                            + size
                            + "; the "
                            + what
                            + " can't be "
                            + asked);
        }
    }

    @Override
    Network condition(Plan plan, Trace trace, Notes notes) {
        int[] ids = classes(plan.request());
        notes.used("classes", Arrays.stream(ids).boxed().toList());
        var conditions = new long[(int) plan.evaluated()];
        int unconditional = conditions.length - ids.length;
        Arrays.fill(conditions, 0, unconditional, transformer.config().nullClass());
        for (int i = 0; i < ids.length; i++) {
            conditions[unconditional + i] = ids[i];
        }
        Tensor classes = Tensor.copyOf(conditions, conditions.length).to(device());
        Tensor guidance = plan.toldGuidance(device());
        return (x, timestep) ->
                transformer.forward(
                        x.to(dtype()),
                        Tensor.full(Shape.of(1), timestep, DType.FLOAT32, device()),
                        classes,
                        guidance);
    }

    /** A class number for each picture. */
    private int[] classes(SampleRequest request) {
        if (request.classes().isEmpty()) {
            throw new PipelineException("this checkpoint draws classes; name one" + someLabels());
        }
        var ids = new int[request.batch()];
        for (int i = 0; i < ids.length; i++) {
            String name = request.classes().get(request.classes().size() == 1 ? 0 : i);
            Integer labelled = labels.get(Prompts.prepare(name));
            ids[i] = labelled != null ? labelled : number(name, transformer.config());
            if (ids[i] < 0) {
                throw new PipelineException(
                        "no class \""
                                + name
                                + "\"; classes are numbers from 0 to "
                                + (transformer.config().numEmbedsAdaNorm() - 1)
                                + someLabels());
            }
        }
        return ids;
    }

    private String someLabels() {
        if (labels.isEmpty()) {
            return "";
        }
        List<String> shown = new ArrayList<>(labels.keySet());
        boolean all = shown.size() <= SHOWN_LABELS;
        return ", or labels such as "
                + String.join(", ", all ? shown : shown.subList(0, SHOWN_LABELS));
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
