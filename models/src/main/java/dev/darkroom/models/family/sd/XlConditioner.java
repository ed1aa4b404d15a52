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
import dev.darkroom.models.unet.Unet;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Objects;

/**
 * Stable Diffusion XL's conditions: the states of the prompt, as two text encoders have them in
 * their last layer but one, the second's pooled text, and sizes.
 *
 * @param zeros whether no negative prompt is a condition of zeros, and not the empty text
 * @param dtype of the networks
 */
record XlConditioner(ClipPrompts first, ClipPrompts second, boolean zeros, DType dtype)
        implements Conditioner {
    /** How many numbers a size condition has. */
    static final int NUMBERS = 6;

    @Override
    public void require(Inputs inputs) {
        PromptEncoder.requireTexts(inputs, Inputs.Extra.values());
        first.require(inputs);
        second.require(inputs);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        report.used("prompt", prompt);
        report.used("negativePrompt", inputs.negativeText());
        Encoded encoded =
                encoded(
                        "the prompt",
                        prompt,
                        Objects.requireNonNullElse(inputs.secondPrompt(), prompt),
                        ClipStates.PENULTIMATE.skipping(inputs.clipSkip()),
                        inputs,
                        report);
        report.traced("prompt_embeds", encoded.states());
        report.traced("pooled", Objects.requireNonNull(encoded.pooled()));
        return condition(encoded, sizes(inputs, size));
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        String negative = inputs.negativeText();
        Encoded encoded =
                zeros && inputs.negativePrompt() == null
                        ? zeros(inputs)
                        : encoded(
                                "the negative prompt",
                                negative,
                                Objects.requireNonNullElse(inputs.secondNegativePrompt(), negative),
                                ClipStates.PENULTIMATE,
                                inputs,
                                report);
        report.traced("negative_embeds", encoded.states());
        report.traced("negative_pooled", Objects.requireNonNull(encoded.pooled()));
        return condition(
                encoded, Objects.requireNonNullElse(inputs.negativeSizes(), sizes(inputs, size)));
    }

    private static SizeCondition sizes(Inputs inputs, Size size) {
        return Objects.requireNonNullElse(inputs.sizes(), SizeCondition.of(size));
    }

    private int length(Inputs inputs) {
        return Objects.requireNonNullElse(
                inputs.maxTokens(), Math.min(first.length(), second.length()));
    }

    private Encoded encoded(
            String title,
            String text,
            String secondText,
            ClipStates states,
            Inputs inputs,
            Report report) {
        try (var scope = TensorScope.open()) {
            Encoded one = first.encode(title, text, length(inputs), states, report);
            Encoded two = second.encode(title, secondText, length(inputs), states, report);
            Tensor both = Ops.cat(2, one.states(), two.states()); // [1,L,E]
            Tensor pooled = Objects.requireNonNull(two.pooled()); // [1,P]
            Encoded encoded = new Encoded(scope.keep(both), null, scope.keep(pooled));
            PromptEncoder.requireFinite(encoded, dtype);
            return encoded;
        }
    }

    private Encoded zeros(Inputs inputs) {
        int width = first.encoder().width() + second.encoder().width();
        int pooled = Objects.requireNonNull(second.encoder().config().projectionDim());
        return new Encoded(
                Tensor.zeros(Shape.of(1, length(inputs), width), dtype, device()),
                null,
                Tensor.zeros(Shape.of(1, pooled), dtype, device()));
    }

    private Device device() {
        return second.prompts().device();
    }

    private Condition condition(Encoded encoded, SizeCondition sizes) {
        float[] numbers = {
            sizes.original().height(),
            sizes.original().width(),
            sizes.cropTop(),
            sizes.cropLeft(),
            sizes.target().height(),
            sizes.target().width()
        };
        return Condition.of(Unet.TEXT, encoded.states())
                .with(Unet.POOLED, encoded.pooled())
                .with(Unet.SIZES, Tensor.copyOf(numbers, 1, NUMBERS).to(device()));
    }
}
