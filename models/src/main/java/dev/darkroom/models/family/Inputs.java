package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * What pictures are to show. A family says what it takes; anything else is an error.
 *
 * @param prompt a text; null for none, which an empty text is not
 * @param negativePrompt what guidance leads away from; null for nothing in particular, which some
 *     models have another condition for than the empty text
 * @param secondPrompt the text that the second of two text encoders reads; null for the same
 * @param secondNegativePrompt the same for guidance; null for the negative prompt
 * @param classes names or numbers, one for all pictures or one for each (which sets a batch of one
 *     to their number); empty for none
 * @param maxTokens text length in tokens, 1 to 4096; null for the family's
 * @param clipSkip how many of the last layers of a CLIP text encoder are left out for the prompt,
 *     as in diffusers not for the negative one; 0 to 100
 * @param reading how prompts are read by families whose text encoder is CLIP
 * @param sizes that the network is conditioned on, if it is; null for the picture's own
 * @param negativeSizes the same for guidance; null for the same
 * @param batch how many pictures are made, 1 to 4096
 * @param edit a picture that they are made from; null for none
 * @param controls a picture for each of the model's ControlNets, in the order in which they were
 *     loaded
 */
public record Inputs(
        @Nullable String prompt,
        @Nullable String negativePrompt,
        @Nullable String secondPrompt,
        @Nullable String secondNegativePrompt,
        List<String> classes,
        @Nullable Integer maxTokens,
        int clipSkip,
        PromptReading reading,
        @Nullable SizeCondition sizes,
        @Nullable SizeCondition negativeSizes,
        int batch,
        @Nullable Edit edit,
        List<ControlPicture> controls) {
    private static final int MAX_BATCH = 4096;
    private static final int MAX_TOKENS = 4096;
    private static final int MAX_SKIP = 100;

    /** What some families take and others do not. */
    public enum Extra {
        /** A text of its own for the second text encoder. */
        SECOND_PROMPT("it has one text encoder, and takes no second prompt"),

        /** Layers of CLIP that are left out. */
        CLIP_SKIP("its text encoder is no CLIP, so that there are no layers to leave out"),

        /** Weights in prompts, and prompts in chunks. */
        PROMPT_READING(
                "weights in prompts and prompts in chunks are for CLIP, which its text encoder is"
                        + " not"),

        /** Sizes that a network is conditioned on. */
        SIZES("its network is not conditioned on sizes"),

        /** Noise on a picture that is made larger. */
        NOISE_LEVEL("it is no upscaler, so that there is no level of noise to choose");

        private final String reason;

        Extra(String reason) {
            this.reason = reason;
        }
    }

    /**
     * Checks what can be checked without a model.
     *
     * @throws IllegalArgumentException if a number is out of range
     */
    public Inputs {
        classes = List.copyOf(classes);
        controls = List.copyOf(controls);
        if (batch == 1 && classes.size() > 1) {
            batch = classes.size();
        }
        if (classes.size() > 1 && classes.size() != batch) {
            throw new IllegalArgumentException(
                    classes.size() + " classes need as many pictures, not a batch of " + batch);
        }
        if (batch < 1 || batch > MAX_BATCH) {
            throw new IllegalArgumentException(
                    "batch must be 1 to " + MAX_BATCH + ", not " + batch);
        }
        if (maxTokens != null && (maxTokens < 1 || maxTokens > MAX_TOKENS)) {
            throw new IllegalArgumentException(
                    "max tokens must be 1 to " + MAX_TOKENS + ", not " + maxTokens);
        }
        if (clipSkip < 0 || clipSkip > MAX_SKIP) {
            throw new IllegalArgumentException(
                    "clip skip must be 0 to " + MAX_SKIP + ", not " + clipSkip);
        }
        if (reading.inChunks() && maxTokens != null) {
            throw new IllegalArgumentException(
                    "long prompts are not cut, so that there is no text length; leave out max"
                            + " tokens or long prompts");
        }
    }

    /** Returns the same without what guidance leads away from. */
    public Inputs withoutNegative() {
        return copy(null, null, edit, controls);
    }

    /** Returns the same with pictures for ControlNets. */
    public Inputs withControls(List<ControlPicture> controls) {
        return copy(negativePrompt, secondNegativePrompt, edit, controls);
    }

    /** Returns the same with a picture that is there. */
    public Inputs with(@Nullable Edit edit) {
        return copy(negativePrompt, secondNegativePrompt, edit, controls);
    }

    private Inputs copy(
            @Nullable String negativePrompt,
            @Nullable String secondNegativePrompt,
            @Nullable Edit edit,
            List<ControlPicture> controls) {
        return new Inputs(
                prompt,
                negativePrompt,
                secondPrompt,
                secondNegativePrompt,
                classes,
                maxTokens,
                clipSkip,
                reading,
                sizes,
                negativeSizes,
                batch,
                edit,
                controls);
    }

    /** One prompt for one text encoder, or classes. */
    public Inputs(
            @Nullable String prompt,
            @Nullable String negativePrompt,
            List<String> classes,
            @Nullable Integer maxTokens,
            int batch) {
        this(
                prompt,
                negativePrompt,
                null,
                null,
                classes,
                maxTokens,
                0,
                PromptReading.PLAIN,
                null,
                null,
                batch,
                null,
                List.of());
    }

    /** Returns the negative prompt, or the empty text. */
    public String negativeText() {
        return negativePrompt == null ? "" : negativePrompt;
    }

    /**
     * Refuses what a family does not take.
     *
     * @param taken what it takes of it
     * @throws IllegalArgumentException which says why
     */
    public void requireNoneBut(Extra... taken) {
        List<Extra> allowed = List.of(taken);
        refuse(Extra.SECOND_PROMPT, secondPrompt != null || secondNegativePrompt != null, allowed);
        refuse(Extra.CLIP_SKIP, clipSkip > 0, allowed);
        refuse(Extra.PROMPT_READING, !reading.equals(PromptReading.PLAIN), allowed);
        refuse(Extra.SIZES, sizes != null || negativeSizes != null, allowed);
        refuse(Extra.NOISE_LEVEL, edit != null && edit.noiseLevel() != null, allowed);
    }

    private static void refuse(Extra extra, boolean set, List<Extra> allowed) {
        if (set && !allowed.contains(extra)) {
            throw new IllegalArgumentException("this checkpoint can't take that: " + extra.reason);
        }
    }
}
