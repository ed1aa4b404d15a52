package dev.darkroom.models.family.sd;

import dev.darkroom.models.clip.ClipStates;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.runtime.DType;

import java.util.Objects;

/**
 * Stable Diffusion's conditions: the states of the prompt.
 *
 * @param text reads prompts
 * @param dtype of the networks
 */
record SdConditioner(ClipPrompts text, DType dtype) implements Conditioner {
    @Override
    public void require(Inputs inputs) {
        PromptEncoder.requireTexts(inputs, Inputs.Extra.CLIP_SKIP);
        text.require(inputs);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        report.used("prompt", prompt);
        report.used("negativePrompt", inputs.negativeText());
        ClipStates states = ClipStates.LAST.skipping(inputs.clipSkip());
        return condition("prompt", "the prompt", prompt, states, inputs, report);
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        return condition(
                "negative",
                "the negative prompt",
                inputs.negativeText(),
                ClipStates.LAST,
                inputs,
                report);
    }

    private Condition condition(
            String name,
            String title,
            String prompt,
            ClipStates states,
            Inputs inputs,
            Report report) {
        int length = Objects.requireNonNullElse(inputs.maxTokens(), text.length());
        Encoded encoded = text.encode(title, prompt, length, states, report);
        PromptEncoder.requireFinite(encoded, dtype);
        report.traced(name + "_embeds", encoded.states());
        return Condition.of(Unet.TEXT, encoded.states()); // [1,L,E]
    }
}
