package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.DoubleSupplier;

/** The ControlNets that a model was loaded with. */
public interface ControlNets {
    /** Of a model without. */
    ControlNets NONE =
            new ControlNets() {
                @Override
                public List<Module> nets() {
                    return List.of();
                }

                @Override
                public ConditionedNetwork steered(List<Control> controls) {
                    throw new IllegalArgumentException("the model has no ControlNet to steer it");
                }
            };

    /**
     * What one net sees in a run.
     *
     * @param picture of the size that is sampled {@code [1,3,H,W]} from 0 to 1
     * @param scale what its residuals are multiplied by, asked in each evaluation; it is not
     *     evaluated for 0
     * @param guess as in {@link ControlPicture}; the condition then has {@link
     *     dev.darkroom.models.diffusion.Condition#CONTROLLED}
     */
    record Control(Tensor picture, DoubleSupplier scale, boolean guess) {
        public Control {
            Objects.requireNonNull(picture, "picture");
            Objects.requireNonNull(scale, "scale");
        }
    }

    /** The networks, in the order in which they were loaded. */
    List<? extends Module> nets();

    /**
     * Refuses nets that a model was to be loaded with and was not.
     *
     * @param asked their folders or files
     * @throws CheckpointException if its family has no use for them
     */
    default void requireLoaded(List<Path> asked) throws CheckpointException {
        if (!asked.isEmpty() && nets().isEmpty()) {
            throw new CheckpointException(
                    asked.getFirst()
                            + ": ControlNets steer the U-Nets of Stable Diffusion, and this model"
                            + " has none; leave them out");
        }
    }

    /**
     * The model's network, steered by them.
     *
     * @param controls one for each net, in their order; what is computed of their pictures belongs
     *     to the scope which is open
     * @throws IllegalArgumentException if there are more or fewer
     */
    ConditionedNetwork steered(List<Control> controls);
}
