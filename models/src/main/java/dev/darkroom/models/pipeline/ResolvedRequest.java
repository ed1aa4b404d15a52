package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.guidance.CfgPlusPlus;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.runtime.Shape;

import org.jspecify.annotations.Nullable;

import java.util.Objects;
import java.util.stream.LongStream;

/**
 * A request with what it leaves open filled in.
 *
 * @param picture size that was asked for
 * @param sampled size that is sampled, which covers it
 * @param latents of one picture, such as {@code [C,h,w]}
 * @param guidanceScale 1 or less for none, but for a sampler of CFG++
 * @param strength the share of the steps that is taken; null where all are, or a start says which
 */
record ResolvedRequest(
        SampleRequest request,
        Size picture,
        Size sampled,
        Shape latents,
        int steps,
        double guidanceScale,
        Guidance guidance,
        @Nullable Double strength) {
    /**
     * Fills in what a request leaves open.
     *
     * @param defaults of the checkpoint, before those of its family
     * @throws IllegalArgumentException if the model does not take such a request
     */
    static ResolvedRequest of(SampleRequest request, Model model, Defaults defaults) {
        model.conditioner().require(request.inputs());
        var sizes = model.sizes().choose(size(request, model));
        var task = model.defaults().of(request.inputs().edit());
        Sampling sampling = request.sampling().orElse(defaults);
        double scale = guidanceScale(request.sampling(), defaults, task);
        return new ResolvedRequest(
                request,
                sizes.picture(),
                sizes.sampled(),
                model.codec().latents(sizes.sampled()),
                Objects.requireNonNullElse(sampling.steps(), task.steps()),
                scale,
                guidance(sampling, scale, model),
                strength(request, task, model));
    }

    private static @Nullable Double strength(
            SampleRequest request, TaskDefaults.Task task, Model model) {
        Edit edit = request.inputs().edit();
        boolean isUnused = request.sampling().start() != null || model.augmentation() != null;
        return edit == null || isUnused
                ? null
                : Objects.requireNonNullElse(edit.strength(), task.strength());
    }

    /** The size of a picture that is made of another is that one's where nothing else is said. */
    private static RequestedSize size(SampleRequest request, Model model) {
        RequestedSize size = request.size();
        Image picture = picture(request.inputs());
        if (picture == null || size.width() != null || size.height() != null) {
            return size;
        }
        Size nearest = model.sizes().nearest(picture.size());
        return new RequestedSize(nearest.width(), nearest.height(), size.binning());
    }

    private static @Nullable Image picture(Inputs inputs) {
        if (inputs.edit() != null) {
            return inputs.edit().picture();
        }
        return inputs.controls().isEmpty() ? null : inputs.controls().getFirst().picture();
    }

    /** The weight of checkpoint and family is one of classifier-free guidance, none of CFG++. */
    private static double guidanceScale(Sampling asked, Defaults defaults, TaskDefaults.Task task) {
        if (asked.guidanceScale() != null) {
            return asked.guidanceScale();
        }
        return isOfCfgPlusPlus(asked) && asked.guidance() == null
                ? CfgPlusPlus.LAMBDA
                : Objects.requireNonNullElse(defaults.guidanceScale(), task.guidanceScale());
    }

    private static boolean isOfCfgPlusPlus(Sampling sampling) {
        return sampling.sampler() != null && Scheduler.isOfCfgPlusPlus(sampling.sampler());
    }

    private static Guidance guidance(Sampling sampling, double scale, Model model) {
        if (!isOfCfgPlusPlus(sampling)) {
            return chosen(sampling, scale, model);
        }
        if (model.network().takesGuidance()) {
            throw new IllegalArgumentException(
                    "sampler "
                            + sampling.sampler()
                            + " takes its noise from the unconditional estimate, but this network"
                            + " takes the weight of the guidance as an input and has none; take"
                            + " another sampler");
        }
        Guidance guidance =
                sampling.guidance() == null
                        ? new CfgPlusPlus(scale)
                        : sampling.guidance().scaled(scale);
        if (!asks(guidance, Evaluator.UNCONDITIONAL)) {
            throw new IllegalArgumentException(
                    "sampler "
                            + sampling.sampler()
                            + " takes its noise from the unconditional estimate, which the"
                            + " guidance "
                            + guidance
                            + " with a weight of "
                            + scale
                            + " does not ask for; leave the kind of guidance out, or give it a"
                            + " weight above 1");
        }
        return guidance;
    }

    /** A network that takes the guidance as an input is evaluated with the condition alone. */
    private static Guidance chosen(Sampling sampling, double scale, Model model) {
        if (sampling.guidance() != null) {
            if (model.network().takesGuidance() && sampling.guidance() instanceof NamedGuidance) {
                throw new IllegalArgumentException(
                        "this network takes the weight of the guidance as an input, so that it is"
                                + " not guided by "
                                + sampling.guidance()
                                + "; leave the kind of guidance out");
            }
            return sampling.guidance().scaled(scale);
        }
        return model.network().takesGuidance() ? Guidance.NONE : new ClassifierFree(scale);
    }

    Inputs inputs() {
        return request.inputs();
    }

    /** Whether the guidance asks for the estimate under a condition. */
    boolean asks(String condition) {
        return asks(guidance, condition);
    }

    private static boolean asks(Guidance guidance, String condition) {
        return guidance.evaluations().stream().anyMatch(names -> names.contains(condition));
    }

    /** How many pictures are made. */
    int batch() {
        return inputs().batch();
    }

    /** The shape of the latents of all pictures, {@code [N,…]}. */
    Shape batchedLatents() {
        return Shape.of(
                LongStream.concat(LongStream.of(batch()), LongStream.of(latents.toArray()))
                        .toArray());
    }

    /** Rows of the largest batch that the network is evaluated on. */
    long rows() {
        return (long) guidance.width() * batch();
    }

    /**
     * Notes the settings in force.
     *
     * @param sampler name of the one in use
     * @param prediction what the network predicts
     */
    void note(Notes notes, String sampler, Preconditioning prediction) {
        notes.used("steps", steps);
        notes.used("guidanceScale", guidanceScale);
        if (guidance instanceof NamedGuidance) {
            notes.used("guidance", guidance.toString());
        }
        notes.used("sampler", sampler);
        notes.used("prediction", prediction.toString());
        notes.used(
                "seeds",
                LongStream.range(0, batch())
                        .mapToObj(i -> Seed.value(request.sampling().seed() + i))
                        .toList());
        notes.used("width", picture.width());
        notes.used("height", picture.height());
        notes.used("sampledWidth", sampled.width());
        notes.used("sampledHeight", sampled.height());
        if (strength != null) {
            notes.used("strength", strength);
        }
        notes.used("batch", batch());
    }
}
