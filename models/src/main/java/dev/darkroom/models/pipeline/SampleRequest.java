package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptReading;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.SizeCondition;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * What to sample. Values left out are the checkpoint's own. Immutable; a value without tensors, so
 * it can be kept, sent and compared.
 *
 * @param inputs what the pictures are to show, and how many there are
 * @param sampling how they are sampled
 * @param size how large they are
 */
public record SampleRequest(Inputs inputs, Sampling sampling, RequestedSize size) {
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
        private @Nullable String negativePrompt;
        private @Nullable String secondPrompt;
        private @Nullable String secondNegativePrompt;
        private int clipSkip;
        private PromptSyntax promptSyntax = PromptSyntax.PLAIN;
        private boolean longPrompts;
        private @Nullable SizeCondition sizes;
        private @Nullable SizeCondition negativeSizes;
        private List<String> classes = List.of();
        private @Nullable Integer steps;
        private @Nullable Double guidanceScale;
        private @Nullable Guidance guidance;
        private @Nullable String sampler;
        private @Nullable LevelChoice levels;
        private @Nullable Double eta;
        private @Nullable Double end;
        private @Nullable Double start;
        private @Nullable Edit edit;
        private List<ControlPicture> controls = List.of();
        private long seed;
        private boolean oneGenerator;
        private boolean clippedNoise;
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

        public Builder negativePrompt(@Nullable String negativePrompt) {
            this.negativePrompt = negativePrompt;
            return this;
        }

        public Builder secondPrompt(@Nullable String secondPrompt) {
            this.secondPrompt = secondPrompt;
            return this;
        }

        public Builder secondNegativePrompt(@Nullable String secondNegativePrompt) {
            this.secondNegativePrompt = secondNegativePrompt;
            return this;
        }

        public Builder clipSkip(int clipSkip) {
            this.clipSkip = clipSkip;
            return this;
        }

        /** Sets what brackets in prompts mean. */
        public Builder promptSyntax(PromptSyntax promptSyntax) {
            this.promptSyntax = promptSyntax;
            return this;
        }

        /** Sets whether prompts that are longer than CLIP reads are encoded in chunks. */
        public Builder longPrompts(boolean longPrompts) {
            this.longPrompts = longPrompts;
            return this;
        }

        public Builder sizes(@Nullable SizeCondition sizes) {
            this.sizes = sizes;
            return this;
        }

        public Builder negativeSizes(@Nullable SizeCondition negativeSizes) {
            this.negativeSizes = negativeSizes;
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

        public Builder levels(@Nullable LevelChoice levels) {
            this.levels = levels;
            return this;
        }

        public Builder eta(@Nullable Double eta) {
            this.eta = eta;
            return this;
        }

        public Builder eta(double eta) {
            return eta(Double.valueOf(eta));
        }

        public Builder end(@Nullable Double end) {
            this.end = end;
            return this;
        }

        public Builder start(@Nullable Double start) {
            this.start = start;
            return this;
        }

        public Builder edit(@Nullable Edit edit) {
            this.edit = edit;
            return this;
        }

        /** Sets a picture for each ControlNet that the pipeline was loaded with, in their order. */
        public Builder controls(List<ControlPicture> controls) {
            this.controls = controls;
            return this;
        }

        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        public Builder oneGenerator(boolean oneGenerator) {
            this.oneGenerator = oneGenerator;
            return this;
        }

        public Builder clippedNoise(boolean clippedNoise) {
            this.clippedNoise = clippedNoise;
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
                    new Inputs(
                            prompt,
                            negativePrompt,
                            secondPrompt,
                            secondNegativePrompt,
                            classes,
                            maxTokens,
                            clipSkip,
                            new PromptReading(promptSyntax, longPrompts),
                            sizes,
                            negativeSizes,
                            batch,
                            edit,
                            controls),
                    new Sampling(
                            steps,
                            guidanceScale,
                            guidance,
                            sampler,
                            levels,
                            eta,
                            end,
                            start,
                            seed,
                            oneGenerator,
                            clippedNoise),
                    new RequestedSize(width, height, binning));
        }
    }
}
