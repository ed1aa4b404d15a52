package dev.darkroom.models.family.pixel;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.ClassLabels;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/**
 * The conditions of a network of pixels: a class for each picture, or none.
 *
 * @param classes that there are; null for a network without
 * @param device of the network
 */
record PixelConditioner(@Nullable ClassLabels classes, Device device) implements Conditioner {
    @Override
    public void require(Inputs inputs) {
        if (classes != null) {
            classes.require(inputs);
            return;
        }
        inputs.requireNoneBut();
        if (inputs.prompt() != null
                || inputs.negativePrompt() != null
                || !inputs.classes().isEmpty()) {
            throw new IllegalArgumentException(
                    "this checkpoint makes pictures of what it was trained on and takes neither"
                            + " prompt nor class; leave them out");
        }
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        if (classes == null) {
            return Condition.NONE;
        }
        long[] numbers = classes.of(inputs, report);
        return Condition.of(
                PixelUnet.LABELS, Tensor.copyOf(numbers, numbers.length).to(device)); // [N]
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        throw new IllegalArgumentException(
                "this checkpoint was not trained without its condition, so that it can't be"
                        + " guided; leave the guidance out, or ask for 1");
    }
}
