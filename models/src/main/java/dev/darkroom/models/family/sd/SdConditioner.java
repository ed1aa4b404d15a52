package dev.darkroom.models.family.sd;

import dev.darkroom.models.clip.ClipStates;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptEncoder;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextualInversion;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.runtime.DType;

import java.io.IOException;
import java.util.List;
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
        PromptEncoder.requireTexts(inputs, Inputs.Extra.CLIP_SKIP, Inputs.Extra.PROMPT_READING);
        text.require(inputs);
        chunks(inputs);
    }

    @Override
    public SdConditioner withEmbeddings(List<TextualInversion> embeddings) throws IOException {
        ClipPrompts learning = text;
        for (TextualInversion embedding : embeddings) {
            learning = learning.with(embedding, TextualInversion.ONLY);
        }
        return new SdConditioner(learning, dtype);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        report.used("prompt", prompt);
        report.used("negativePrompt", inputs.negativeText());
        ClipStates states = ClipStates.LAST.skipping(inputs.clipSkip());
        Condition condition = condition("the prompt", prompt, states, inputs, report);
        report.traced("prompt_embeds", condition.get(Unet.TEXT));
        return condition;
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        Condition condition = negative(inputs.negativeText(), inputs, report);
        report.traced("negative_embeds", condition.get(Unet.TEXT));
        return condition;
    }

    @Override
    public Condition empty(Inputs inputs, Size size, Report report) {
        return negative("", inputs, report);
    }

    private Condition negative(String negative, Inputs inputs, Report report) {
        return condition("the negative prompt", negative, ClipStates.LAST, inputs, report);
    }

    private int length(Inputs inputs) {
        return Objects.requireNonNullElse(inputs.maxTokens(), text.length());
    }

    /** Prompt and negative prompt take as many chunks as the longer one. */
    private int chunks(Inputs inputs) {
        String prompt = Objects.requireNonNull(inputs.prompt());
        return text.chunks(inputs, length(inputs), prompt, inputs.negativeText());
    }

    private Condition condition(
            String title, String prompt, ClipStates states, Inputs inputs, Report report) {
        Encoded encoded =
                text.encode(
                        title,
                        prompt,
                        inputs.reading(),
                        chunks(inputs),
                        length(inputs),
                        states,
                        report);
        PromptEncoder.requireFinite(encoded, dtype);
        return Condition.of(Unet.TEXT, encoded.states()); // [1,L,E]
    }
}
