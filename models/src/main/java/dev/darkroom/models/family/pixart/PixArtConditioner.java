package dev.darkroom.models.family.pixart;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.runtime.DType;

import java.util.Objects;

/**
 * PixArt's conditions: the states of the prompt, and for some the size of the picture.
 *
 * @param prompts reads texts
 * @param sized whether the network is conditioned on the size
 * @param textLength of a text in tokens, where a request does not say another
 * @param dtype of the network
 */
record PixArtConditioner(PromptEncoder prompts, boolean sized, int textLength, DType dtype)
        implements Conditioner {
    @Override
    public void require(Inputs inputs) {
        PromptEncoder.requireTexts(inputs);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        report.used("prompt", prompt);
        report.used("negativePrompt", inputs.negativeText());
        report.used("maxTokens", length(inputs));
        return condition("prompt", "the prompt", prompt, inputs, size, report);
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        return condition(
                "negative", "the negative prompt", inputs.negativeText(), inputs, size, report);
    }

    private int length(Inputs inputs) {
        return inputs.maxTokens() == null ? textLength : inputs.maxTokens();
    }

    private Condition condition(
            String name, String title, String text, Inputs inputs, Size size, Report report) {
        Encoded encoded =
                prompts.encode(name, title, PixArt.TEXT.prepared(text), length(inputs), report);
        PromptEncoder.requireFinite(encoded, dtype);
        Condition condition = condition(encoded);
        if (!sized) {
            return condition;
        }
        var sizes = PixArtSize.of(size.height(), size.width(), dtype);
        return condition
                .with(PixArtTransformer.RESOLUTION, sizes.resolution())
                .with(PixArtTransformer.ASPECT_RATIO, sizes.aspectRatio());
    }

    /** The condition on texts alone. */
    static Condition condition(Encoded encoded) {
        return Condition.of(PixArtTransformer.TEXT, encoded.states()) // [N,L,E]
                .with(PixArtTransformer.TEXT_MASK, encoded.mask());
    }
}
