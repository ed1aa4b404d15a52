package dev.darkroom.models.family.sd;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.NoiseAugmentation;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.text.TextualInversion;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.runtime.Tensor;

import java.io.IOException;
import java.util.List;
import java.util.Objects;

/**
 * The upscaler's conditions: the states of the prompt, and the level of the noise on the picture
 * that it is shown, as a class.
 */
record UpscaleConditioner(SdConditioner text, NoiseAugmentation augmentation)
        implements Conditioner {
    @Override
    public void require(Inputs inputs) {
        text.require(inputs.with(null));
        if (inputs.edit() != null) {
            augmentation.level(inputs.edit());
        }
    }

    @Override
    public UpscaleConditioner withEmbeddings(List<TextualInversion> embeddings) throws IOException {
        return new UpscaleConditioner(text.withEmbeddings(embeddings), augmentation);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        report.used("noiseLevel", level(inputs));
        return labelled(text.encode(inputs, size, report), inputs);
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        return labelled(text.without(inputs, size, report), inputs);
    }

    @Override
    public Condition empty(Inputs inputs, Size size, Report report) {
        return labelled(text.empty(inputs, size, report), inputs);
    }

    private Condition labelled(Condition condition, Inputs inputs) {
        return condition.with(Unet.LABELS, Tensor.copyOf(new long[] {level(inputs)}, 1));
    }

    private int level(Inputs inputs) {
        Edit edit = Objects.requireNonNull(inputs.edit(), "the picture that is made larger");
        return augmentation.level(edit);
    }
}
