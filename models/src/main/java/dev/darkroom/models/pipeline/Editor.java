package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.NoiseAugmentation;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.Resampling;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/**
 * Makes starts of pictures that are there, in the order of diffusers' draws: the picture's latents,
 * the noise, the latents of what the mask leaves.
 *
 * @param type that solvers compute in
 */
record Editor(
        Model model, SamplingPlan plan, NoiseSource noise, Device device, DType type, Notes notes) {
    private static final double HALF = 0.5;

    /**
     * Refuses what a model can't do with a picture, or without.
     *
     * @throws IllegalArgumentException which says what it needs
     */
    static void require(ResolvedRequest run, Model model, boolean isGiven) {
        Edit edit = run.inputs().edit();
        if (model.augmentation() != null) {
            requireUpscaling(run, edit, isGiven);
            return;
        }
        if (edit != null && isGiven) {
            throw new IllegalArgumentException(
                    "sampling starts from the given latents or from a picture, not from both");
        }
        boolean paints = model.network().shownChannels() > 0;
        if (paints && (edit == null || edit.mask() == null)) {
            throw new IllegalArgumentException(
                    "this checkpoint paints parts of a picture anew: give it a picture and a mask"
                            + " (--init and --mask)");
        }
        if (run.request().sampling().start() != null) {
            if (edit == null && !isGiven) {
                throw new IllegalArgumentException(
                        "sampling that starts midway needs a picture, or latents that are noisy as"
                                + " at its start");
            }
            if (edit != null && edit.mask() != null) {
                throw new IllegalArgumentException(
                        "sampling with a mask starts by its strength; leave the start out");
            }
        }
    }

    private static void requireUpscaling(
            ResolvedRequest run, @Nullable Edit edit, boolean isGiven) {
        if (edit == null) {
            throw new IllegalArgumentException(
                    "this checkpoint makes a picture larger: give it the picture (--init)");
        }
        if (edit.mask() != null || edit.strength() != null) {
            throw new IllegalArgumentException(
                    "this checkpoint makes a picture larger, all of it and in all steps; leave the"
                            + " mask and the strength out");
        }
        if (run.request().sampling().start() != null && !isGiven) {
            throw new IllegalArgumentException(
                    "an upscaler that starts midway needs latents that are noisy as at its start");
        }
    }

    /**
     * The picture that is inverted.
     *
     * @throws IllegalArgumentException if the request or the model has none that can be
     */
    static Edit inverted(SampleRequest request, Model model) {
        Edit edit = request.inputs().edit();
        if (edit == null || edit.mask() != null || !Objects.equals(edit.strength(), 1.0)) {
            throw new IllegalArgumentException(
                    "inversion needs a picture, without a mask and of strength 1");
        }
        Sampling sampling = request.sampling();
        Double eta = sampling.eta();
        boolean isStochastic = eta != null && eta > 0;
        if (isStochastic || sampling.start() != null || sampling.end() != null) {
            throw new IllegalArgumentException(
                    "inversion follows the whole deterministic way back; leave eta, start and end"
                            + " out");
        }
        if (sampling.sampler() != null && Scheduler.isOfCfgPlusPlus(sampling.sampler())) {
            throw new IllegalArgumentException(
                    "inversion follows Euler's method back, which "
                            + sampling.sampler()
                            + " is not; take euler or ddim");
        }
        if (model.network().shownChannels() > 0) {
            throw new IllegalArgumentException(
                    "this checkpoint is shown a picture beside what it makes, and can't be"
                            + " inverted");
        }
        if (model.samplers().isOfConsistency()) {
            throw new IllegalArgumentException(
                    "a student of latent consistency has no way from noise to data that could be"
                            + " followed back; invert with its teacher");
        }
        return edit;
    }

    /**
     * A request with what inversion takes where it leaves it open: Euler's method, which clips
     * nothing, and no guidance, under which the way back is less sure.
     */
    static SampleRequest deterministic(SampleRequest request) {
        Sampling sampling = request.sampling().orElse(new Defaults(null, 1.0), "euler");
        return new SampleRequest(request.inputs(), sampling, request.size());
    }

    /** A start from what a request brings with it. */
    Start start(ResolvedRequest run, Edit edit) {
        boolean shows = model.network().shownChannels() > 0;
        boolean fromNoise = edit.mask() != null && Objects.equals(run.strength(), 1.0);
        Tensor picture = picture(run, edit);
        Tensor encoded = null;
        if (!fromNoise || !shows) {
            encoded = encoded(run, picture, "input_encode_noise");
            notes.traced("encoded", encoded);
        }
        if (run.request().sampling().start() != null) {
            return Start.at(Objects.requireNonNull(encoded)); // it has the noise
        }
        Tensor drawn = drawn(run, "input_noise").to(type);
        Tensor latents =
                fromNoise
                        ? drawn.times(plan.initialScale())
                        : plan.start(Objects.requireNonNull(encoded), drawn);
        if (edit.mask() == null) {
            return Start.at(latents);
        }
        Tensor mask = // [1,1,H,W], 0 or 1
                fitted(edit.mask(), run, run.sampled(), Resampling.LANCZOS)
                        .ge(HALF)
                        .to(DType.FLOAT32);
        Tensor small = atLatents(mask, run).to(type).to(device);
        notes.traced("latent_mask", small);
        if (!shows) {
            drawn(run, "input_masked_encode_noise"); // as in diffusers, which does not use it
            return new Start(
                    latents,
                    null,
                    new Start.Kept(
                            Objects.requireNonNull(encoded), drawn, small, plan.evaluations()));
        }
        Tensor left = picture.times(mask.subtractedFrom(1));
        Tensor masked = encoded(run, left, "input_masked_encode_noise");
        notes.traced("masked_image_latents", masked);
        Tensor masks = small.repeatInterleave(run.batch(), 0);
        return new Start(latents, Ops.cat(1, masks, masked), null);
    }

    /** Its own size is moved to whole multiples; one that was asked for is covered. */
    private static Tensor fitted(Image image, ResolvedRequest run, Size size, Resampling filter) {
        RequestedSize asked = run.request().size();
        boolean own = asked.width() == null && asked.height() == null;
        return own && run.picture().equals(run.sampled())
                ? image.scaledTo(size, filter)
                : image.covering(size);
    }

    /**
     * What an upscaler is shown: the picture, as large as the latents, with noise {@code
     * [N,3,h,w]}.
     */
    Tensor augmented(ResolvedRequest run, Edit edit, NoiseAugmentation augmentation) {
        Shape latents = run.latents(); // [C,h,w]
        var size = new Size((int) latents.size(1), (int) latents.size(2));
        Tensor picture = // [1,3,h,w]
                fitted(edit.picture(), run, size, Resampling.BICUBIC).times(2).minus(1);
        Shape shape = Shape.of(run.batch(), picture.size(1), size.height(), size.width());
        Tensor drawn = drawn(shape, "input_low_res_noise");
        Tensor noised =
                augmentation.noised(picture.to(device), drawn, augmentation.level(edit)).to(type);
        notes.traced("low_res", noised);
        return noised;
    }

    /** The latents of the picture that a request brings {@code [N,…]}. */
    Tensor latents(ResolvedRequest run, Edit edit) {
        return encoded(run, picture(run, edit), "input_encode_noise");
    }

    /** The picture as the encoder takes it {@code [1,3,H,W]}. */
    private static Tensor picture(ResolvedRequest run, Edit edit) {
        return fitted(edit.picture(), run, run.sampled(), Resampling.LANCZOS).times(2).minus(1);
    }

    private Tensor drawn(ResolvedRequest run, String name) {
        return drawn(run.batchedLatents(), name);
    }

    private Tensor drawn(Shape shape, String name) {
        Tensor drawn = noise.draw(shape, DType.FLOAT32, device);
        notes.traced(name, drawn);
        return drawn;
    }

    private Tensor encoded(ResolvedRequest run, Tensor picture, String name) {
        Tensor drawn = drawn(run, name);
        return model.codec().encode(picture.to(device), drawn, notes).to(type);
    }

    /** The upper left pixel of those that one of the latents stands for, as diffusers takes it. */
    private static Tensor atLatents(Tensor mask, ResolvedRequest run) {
        Size size = run.sampled();
        Shape latents = run.latents();
        long height = latents.size(1);
        long width = latents.size(2);
        return mask.reshape(1, 1, height, size.height() / height, width, size.width() / width)
                .select(5, 0)
                .select(3, 0);
    }
}
