package dev.darkroom.models.family.dit;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.ClassLabels;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;

import java.util.Arrays;

/**
 * DiT's conditions: a class for each picture.
 *
 * @param classes that there are
 * @param nullClass that stands for none
 * @param device of the network
 */
record DitConditioner(ClassLabels classes, int nullClass, Device device) implements Conditioner {
    @Override
    public void require(Inputs inputs) {
        classes.require(inputs);
    }

    @Override
    public Condition encode(Inputs inputs, Size size, Report report) {
        return condition(classes.of(inputs, report));
    }

    @Override
    public Condition without(Inputs inputs, Size size, Report report) {
        var none = new long[inputs.batch()];
        Arrays.fill(none, nullClass);
        return condition(none);
    }

    private Condition condition(long... ids) {
        return condition(Tensor.copyOf(ids, ids.length).to(device));
    }

    /** The condition on classes, int64 {@code [N]}. */
    static Condition condition(Tensor classes) {
        return Condition.of(DitTransformer.LABELS, classes);
    }
}
