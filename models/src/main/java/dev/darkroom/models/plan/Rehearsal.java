package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.models.vae.VaeLocation;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.DryRun;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A run of a pipeline with shapes alone: the checkpoint's networks are declared as its family
 * declares them, on {@link Device#META}, and a request is sampled as any other. So what it counts
 * comes from the code that computes pictures, for every family.
 *
 * @param variant how it was loaded; whether parts take turns makes no difference here
 * @param parts the networks' parts in the order in which they are loaded, with what they hold
 * @param denoisers the parts that are evaluated in the steps
 * @param decoder the part that decodes; null if it is none of them
 * @param used what {@link SampleResult#used} says
 * @param evaluations of the network
 * @param stages what each takes
 */
record Rehearsal(
        Variant variant,
        Map<String, Long> parts,
        Set<String> denoisers,
        @Nullable String decoder,
        Map<String, Object> used,
        int evaluations,
        Map<Stage.Kind, Counted> stages) {
    /** A family that is asked for a text gets this one; what it says does not matter. */
    private static final String PROMPT = "a photograph";

    /** A family that takes classes gets this one. */
    private static final String CLASS = "0";

    private static final Lock ONE = new ReentrantLock();

    /**
     * What a stage takes.
     *
     * @param peak bytes beside the weights, at most at once
     * @param made bytes of all tensors that were made
     * @param products how often products of each shape were computed
     */
    record Counted(long peak, long made, Map<DryRun.Product, Long> products) {}

    /**
     * Runs a request.
     *
     * @param family of the checkpoint
     * @param asked a prompt or classes are filled in where it has none
     * @throws IOException if the checkpoint can't be read
     */
    static Rehearsal of(
            Source source,
            Family family,
            PipelineOptions options,
            Variant variant,
            SampleRequest asked)
            throws IOException {
        LoadOptions loading = loading(source, options, variant);
        ONE.lock(); // another plan may be under way
        try (var dry = DryRun.begin();
                var checkpoint = source.open(loading)) {
            Model model = family.load(checkpoint);
            model.controls().requireLoaded(loading.controls());
            var parts = new LinkedHashMap<String, Long>();
            checkpoint.networks().forEach((name, network) -> parts.put(name, network.bytes()));
            var watch = new Watch(dry);
            SampleResult result;
            try (var pipeline =
                    Pipeline.of(
                            "plan",
                            model,
                            options.withDevice(Device.META)
                                    .withDtype(variant.dtype())
                                    .withTiling(variant.tiling()))) {
                result = pipeline.sample(completed(asked, model, source.defaults()), watch);
            }
            watch.end(Stage.Kind.DECODE);
            return new Rehearsal(
                    variant,
                    parts,
                    denoisers(model, checkpoint.networks()),
                    nameOf(model.codec().network(), checkpoint.networks()),
                    result.used(),
                    watch.evaluations,
                    watch.stages);
        } finally {
            ONE.unlock();
        }
    }

    private static LoadOptions loading(Source source, PipelineOptions options, Variant variant)
            throws IOException {
        try {
            return new LoadOptions(
                    variant.dtype(),
                    options.vaeDtype(),
                    Device.META,
                    options.mapped(),
                    options.variant(),
                    options.strict(),
                    variant.tiling(),
                    Offload.OFF,
                    variant.weights(),
                    vae(source, options),
                    ModelLocation.foldersOrFiles(
                            "a ControlNet", options.controls(), options.hub(), options.listener()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("planning was interrupted", e);
        }
    }

    private static @Nullable Path vae(Source source, PipelineOptions options)
            throws IOException, InterruptedException {
        Path checkpoint = source.layout() == null ? source.path() : null;
        String vae = options.vae();
        return vae == null
                ? null
                : VaeLocation.folder(vae, checkpoint, options.hub(), options.listener());
    }

    private static Set<String> denoisers(Model model, Map<String, Module> parts) {
        Set<String> names = new LinkedHashSet<>();
        parts.forEach(
                (name, network) -> {
                    if (network.equals(model.network())
                            || model.controls().nets().contains(network)) {
                        names.add(name);
                    }
                });
        return names;
    }

    private static @Nullable String nameOf(@Nullable Module network, Map<String, Module> parts) {
        return parts.entrySet().stream()
                .filter(part -> part.getValue().equals(network))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse(null);
    }

    /** Fills in what to draw, and what the checkpoint says of itself. */
    private static SampleRequest completed(SampleRequest asked, Model model, Defaults own) {
        Inputs inputs = asked.inputs();
        boolean isOpen = inputs.prompt() == null && inputs.classes().isEmpty();
        if (isOpen && !takes(model, inputs)) {
            Inputs text = asked(inputs, PROMPT, List.of());
            inputs = takes(model, text) ? text : asked(inputs, null, List.of(CLASS));
        }
        if (model.network().shownChannels() > 0 && inputs.edit() == null) {
            inputs = inputs.with(blank(model, model.sizes().choose(asked.size()).picture()));
        }
        if (inputs.controls().isEmpty() && !model.controls().nets().isEmpty()) {
            Image blank = blank(model, model.sizes().choose(asked.size()).picture()).picture();
            inputs =
                    inputs.withControls(
                            Collections.nCopies(
                                    model.controls().nets().size(), ControlPicture.of(blank)));
        }
        return new SampleRequest(inputs, asked.sampling().orElse(own), asked.size());
    }

    /**
     * A picture for a network that is shown one, all of which is made anew or larger.
     *
     * @param made size of what is made
     */
    private static Edit blank(Model model, Size made) {
        boolean enlarges = model.augmentation() != null;
        Shape latents = model.codec().latents(made); // [C,h,w]
        Size size = enlarges ? new Size((int) latents.size(1), (int) latents.size(2)) : made;
        int pixels = Math.toIntExact(size.pixels());
        var picture = new Image(3, size.height(), size.width(), new float[3 * pixels]);
        if (enlarges) {
            return new Edit(picture, null);
        }
        var mask = new float[pixels];
        Arrays.fill(mask, 1);
        return new Edit(picture, new Image(1, size.height(), size.width(), mask), 1);
    }

    private static Inputs asked(Inputs rest, @Nullable String prompt, List<String> classes) {
        return new Inputs(
                prompt,
                rest.negativePrompt(),
                rest.secondPrompt(),
                rest.secondNegativePrompt(),
                classes,
                rest.maxTokens(),
                rest.clipSkip(),
                rest.reading(),
                rest.sizes(),
                rest.negativeSizes(),
                rest.batch(),
                rest.edit(),
                rest.controls());
    }

    private static boolean takes(Model model, Inputs inputs) {
        try {
            model.conditioner().require(inputs);
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    /** Reads the counts where one stage ends and the next begins. */
    private static final class Watch implements SampleMonitor {
        private final DryRun dry;
        private final long weights;
        private final Map<Stage.Kind, Counted> stages = new EnumMap<>(Stage.Kind.class);
        private int evaluations;

        Watch(DryRun dry) {
            this.dry = dry;
            weights = dry.liveBytes();
            dry.reset();
        }

        /** Asked for the first time before the first evaluation, when all is encoded. */
        @Override
        public boolean isCancelled() {
            if (!stages.containsKey(Stage.Kind.ENCODE)) {
                end(Stage.Kind.ENCODE);
            }
            return false;
        }

        @Override
        public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
            evaluations = done;
            if (done == total) {
                end(Stage.Kind.DENOISE);
            }
        }

        void end(Stage.Kind stage) {
            stages.put(
                    stage, new Counted(dry.peakBytes() - weights, dry.madeBytes(), dry.products()));
            dry.reset();
        }
    }
}
