package dev.darkroom.models.family.sd;

import dev.darkroom.models.clip.ClipStates;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextualInversion;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Stable Diffusion XL's conditions: the states of the prompt, as one or two text encoders have them
 * in their last layer but one, the last encoder's pooled text, and sizes.
 *
 * @param encoders two, or for the refiner one
 * @param zeros whether no negative prompt is a condition of zeros, and not the empty text
 * @param numbers what sizes are told by
 * @param dtype of the networks
 */
record XlConditioner(List<ClipPrompts> encoders, boolean zeros, Numbers numbers, DType dtype)
        implements Conditioner {
    /** The numbers that the network is conditioned on beside the text. */
    enum Numbers {
        /** Of the original, the crop and the target. */
        SIZES(6),

        /**
         * Of the original and the crop, and how beautiful the picture is, from 1 to 10: for the
         * refiner.
         */
        SCORED(5);

        /** How many they are. */
        final int count;

        Numbers(int count) {
            this.count = count;
        }
    }

    /** diffusers' {@code aesthetic_score} and {@code negative_aesthetic_score}. */
    private static final float SCORE = 6;

    private static final float NEGATIVE_SCORE = 2.5f;

    @Override
    public void require(Inputs inputs) {
        if (encoders.size() > 1) {
            PromptEncoder.requireTexts(inputs, Inputs.Extra.values());
        } else {
            PromptEncoder.requireTexts(
                    inputs,
                    Inputs.Extra.CLIP_SKIP,
                    Inputs.Extra.PROMPT_READING,
                    Inputs.Extra.SIZES);
        }
        encoders.forEach(encoder -> encoder.require(inputs));
        chunks(inputs);
    }

    @Override
    public XlConditioner withEmbeddings(List<TextualInversion> embeddings) throws IOException {
        var learning = new ArrayList<>(encoders);
        for (TextualInversion embedding : embeddings) {
            int last = learning.size() - 1;
            learning.set(last, learning.get(last).with(embedding, TextualInversion.CLIP_G));
            if (last > 0) {
                learning.set(0, learning.getFirst().with(embedding, TextualInversion.CLIP_L));
            }
        }
        return new XlConditioner(List.copyOf(learning), zeros, numbers, dtype);
    }

    /** The prompt as each of two encoders reads it. */
    private static List<String> prompts(Inputs inputs) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        return List.of(prompt, Objects.requireNonNullElse(inputs.secondPrompt(), prompt));
    }

    /** The negative prompt as each of two encoders reads it. */
    private static List<String> negatives(Inputs inputs) {
        String negative = inputs.negativeText();
        return List.of(
                negative, Objects.requireNonNullElse(inputs.secondNegativePrompt(), negative));
    }

    /** All texts take as many chunks as the longest. */
    private int chunks(Inputs inputs) {
        int most = 1;
        for (int i = 0; i < encoders.size(); i++) {
            String[] texts = {prompts(inputs).get(i), negatives(inputs).get(i)};
            most = Math.max(most, encoders.get(i).chunks(inputs, length(inputs), texts));
        }
        return most;
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        report.used("prompt", prompt);
        report.used("negativePrompt", inputs.negativeText());
        Encoded encoded =
                encoded(
                        "the prompt",
                        prompts(inputs),
                        ClipStates.PENULTIMATE.skipping(inputs.clipSkip()),
                        inputs,
                        report);
        report.traced("prompt_embeds", encoded.states());
        report.traced("pooled", Objects.requireNonNull(encoded.pooled()));
        return condition(encoded, sizes(inputs, size), SCORE);
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        Encoded encoded =
                inputs.negativePrompt() == null && zeros
                        ? zeros(inputs)
                        : negative(negatives(inputs), inputs, report);
        report.traced("negative_embeds", encoded.states());
        report.traced("negative_pooled", Objects.requireNonNull(encoded.pooled()));
        return condition(encoded, negativeSizes(inputs, size), NEGATIVE_SCORE);
    }

    @Override
    public Condition empty(Inputs inputs, Size size, Report report) {
        Encoded encoded = zeros ? zeros(inputs) : negative(List.of("", ""), inputs, report);
        return condition(encoded, negativeSizes(inputs, size), NEGATIVE_SCORE);
    }

    private Encoded negative(List<String> texts, Inputs inputs, Report report) {
        return encoded("the negative prompt", texts, ClipStates.PENULTIMATE, inputs, report);
    }

    private static SizeCondition sizes(Inputs inputs, Size size) {
        return Objects.requireNonNullElse(inputs.sizes(), SizeCondition.of(size));
    }

    /** As in diffusers, which leads away from crops only where pictures are made of noise. */
    private SizeCondition negativeSizes(Inputs inputs, Size size) {
        if (inputs.negativeSizes() != null) {
            return inputs.negativeSizes();
        }
        SizeCondition sizes = sizes(inputs, size);
        return numbers == Numbers.SCORED || inputs.edit() != null
                ? new SizeCondition(sizes.original(), 0, 0, sizes.target())
                : sizes;
    }

    private int length(Inputs inputs) {
        return inputs.maxTokens() != null
                ? inputs.maxTokens()
                : encoders.stream().mapToInt(ClipPrompts::length).min().orElseThrow();
    }

    /**
     * Encodes a text.
     *
     * @param texts as each of two encoders reads it
     */
    private Encoded encoded(
            String title, List<String> texts, ClipStates states, Inputs inputs, Report report) {
        int chunks = chunks(inputs);
        try (var scope = TensorScope.open()) {
            List<Encoded> each = new ArrayList<>();
            for (ClipPrompts encoder : encoders) {
                each.add(
                        encoder.encode(
                                title,
                                texts.get(each.size()),
                                inputs.reading(),
                                chunks,
                                length(inputs),
                                states,
                                report));
            }
            Tensor all = Ops.cat(2, each.stream().map(Encoded::states).toList()); // [1,L,E]
            Tensor pooled = Objects.requireNonNull(each.getLast().pooled()); // [1,P]
            Encoded encoded = new Encoded(scope.keep(all), null, scope.keep(pooled));
            PromptEncoder.requireFinite(encoded, dtype);
            return encoded;
        }
    }

    private Encoded zeros(Inputs inputs) {
        int width = encoders.stream().mapToInt(each -> each.encoder().width()).sum();
        long length = (long) chunks(inputs) * length(inputs);
        int pooled = Objects.requireNonNull(encoders.getLast().encoder().config().projectionDim());
        return new Encoded(
                Tensor.zeros(Shape.of(1, length, width), dtype, device()),
                null,
                Tensor.zeros(Shape.of(1, pooled), dtype, device()));
    }

    private Device device() {
        return encoders.getLast().prompts().device();
    }

    private Condition condition(Encoded encoded, SizeCondition sizes, float score) {
        float[] values = {
            sizes.original().height(),
            sizes.original().width(),
            sizes.cropTop(),
            sizes.cropLeft(),
            numbers == Numbers.SCORED ? score : sizes.target().height(),
            sizes.target().width()
        };
        Tensor told = Tensor.copyOf(Arrays.copyOf(values, numbers.count), 1, numbers.count);
        return Condition.of(Unet.TEXT, encoded.states())
                .with(Unet.POOLED, encoded.pooled())
                .with(Unet.SIZES, told.to(device()));
    }
}
