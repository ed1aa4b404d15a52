package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Inputs;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;

/**
 * What to sample. Values left out are the checkpoint's own. Immutable; a value without tensors, so
 * it can be kept, sent and compared.
 *
 * @param prompt the text, for a text-to-image checkpoint; an empty one is a text too
 * @param negativePrompt what guidance moves away from; empty for nothing in particular
 * @param classes class numbers or names, one for all pictures or one for each (which sets a batch
 *     of one to their number), for a class-conditional checkpoint; empty otherwise
 * @param steps number of sampling steps; null for the checkpoint's
 * @param guidanceScale weight of classifier-free guidance, 1 for none, at most 1000 (Ho and
 *     Salimans 2022); null for the checkpoint's
 * @param guidance how the estimates with and without the prompt become one, such as a {@link
 *     dev.darkroom.models.diffusion.ClassifierFree} that is rescaled or acts at some noise levels
 *     only; null for classifier-free guidance of {@code guidanceScale}
 * @param sampler name of a sampler, see {@link
 *     dev.darkroom.models.diffusion.diffusers.Scheduler#names}; null for the checkpoint's
 * @param seed of the first picture, as {@link Seed} has them; picture i of the batch has a
 *     generator of its own with {@code seed + i}, where 0 follows the last seed
 * @param width of the picture in pixels; null for the checkpoint's
 * @param height of the picture in pixels; null for the checkpoint's
 * @param batch number of pictures
 * @param maxTokens text length in tokens; null for the checkpoint's
 * @param binning whether the size is moved to the nearest one that the network was trained on, and
 *     the picture scaled and cropped back, where the checkpoint's reference pipeline does that
 */
public record SampleRequest(
        @Nullable String prompt,
        String negativePrompt,
        List<String> classes,
        @Nullable Integer steps,
        @Nullable Double guidanceScale,
        @Nullable Guidance guidance,
        @Nullable String sampler,
        long seed,
        @Nullable Integer width,
        @Nullable Integer height,
        int batch,
        @Nullable Integer maxTokens,
        boolean binning) {
    /** Checks what can be checked without a checkpoint. */
    public SampleRequest {
        Objects.requireNonNull(negativePrompt, "negativePrompt; empty for none");
        classes = List.copyOf(classes);
        if (batch == 1 && classes.size() > 1) {
            batch = classes.size();
        }
        if (classes.size() > 1 && classes.size() != batch) {
            throw new IllegalArgumentException(
                    classes.size() + " classes need as many pictures, not a batch of " + batch);
        }
        Defaults.requireSteps(steps);
        Defaults.requireGuidanceScale(guidanceScale);
        if (batch < 1 || batch > 4096) {
            throw new IllegalArgumentException("batch must be 1 to 4096, not " + batch);
        }
        requireSize("width", width);
        requireSize("height", height);
        if (maxTokens != null && (maxTokens < 1 || maxTokens > 4096)) {
            throw new IllegalArgumentException("max tokens must be 1 to 4096, not " + maxTokens);
        }
    }

    private static void requireSize(String what, @Nullable Integer pixels) {
        if (pixels != null && (pixels < 8 || pixels > 16384)) {
            throw new IllegalArgumentException(what + " must be 8 to 16384 pixels, not " + pixels);
        }
    }

    /** What the pictures are to show. */
    Inputs inputs() {
        return new Inputs(prompt, negativePrompt, classes, maxTokens, batch);
    }

    /** A request for one picture of a text, with the checkpoint's settings and seed 0. */
    public static SampleRequest of(String prompt) {
        return builder().prompt(prompt).build();
    }

    /** A builder with the checkpoint's settings, seed 0 and a batch of one. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values of a {@link SampleRequest}. */
    public static final class Builder {
        private @Nullable String prompt;
        private String negativePrompt = "";
        private List<String> classes = List.of();
        private @Nullable Integer steps;
        private @Nullable Double guidanceScale;
        private @Nullable Guidance guidance;
        private @Nullable String sampler;
        private long seed;
        private @Nullable Integer width;
        private @Nullable Integer height;
        private int batch = 1;
        private @Nullable Integer maxTokens;
        private boolean binning = true;

        private Builder() {}

        public Builder prompt(@Nullable String prompt) {
            this.prompt = prompt;
            return this;
        }

        public Builder negativePrompt(String negativePrompt) {
            this.negativePrompt = negativePrompt;
            return this;
        }

        public Builder classes(List<String> classes) {
            this.classes = classes;
            return this;
        }

        public Builder steps(@Nullable Integer steps) {
            this.steps = steps;
            return this;
        }

        public Builder guidanceScale(@Nullable Double guidanceScale) {
            this.guidanceScale = guidanceScale;
            return this;
        }

        public Builder guidanceScale(double guidanceScale) {
            return guidanceScale(Double.valueOf(guidanceScale));
        }

        public Builder guidance(@Nullable Guidance guidance) {
            this.guidance = guidance;
            return this;
        }

        public Builder sampler(@Nullable String sampler) {
            this.sampler = sampler;
            return this;
        }

        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        public Builder width(@Nullable Integer width) {
            this.width = width;
            return this;
        }

        public Builder height(@Nullable Integer height) {
            this.height = height;
            return this;
        }

        public Builder batch(int batch) {
            this.batch = batch;
            return this;
        }

        public Builder maxTokens(@Nullable Integer maxTokens) {
            this.maxTokens = maxTokens;
            return this;
        }

        public Builder binning(boolean binning) {
            this.binning = binning;
            return this;
        }

        /**
         * The request.
         *
         * @throws IllegalArgumentException if a value is out of range
         */
        public SampleRequest build() {
            return new SampleRequest(
                    prompt,
                    negativePrompt,
                    classes,
                    steps,
                    guidanceScale,
                    guidance,
                    sampler,
                    seed,
                    width,
                    height,
                    batch,
                    maxTokens,
                    binning);
        }
    }
}
