package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.NoiseLevel;

import java.util.ArrayList;
import java.util.List;

/** The noise levels of flow matching that a call gives. */
final class FlowLevels {
    private FlowLevels() {}

    /**
     * The levels where the network is called. Given sigmas are shifted, as those of a spacing are;
     * given timesteps are what the network sees.
     *
     * @param trained how many timesteps the network was trained with
     * @param shift by how much sigmas are shifted
     */
    static List<NoiseLevel> given(LevelChoice choice, int steps, int trained, double shift) {
        var plain = new ModelSigmas(1, trained, t -> t / trained, true);
        if (!choice.timesteps().isEmpty()) {
            return choice.levels(steps, plain, sigma -> sigma * trained, FlowLevels::level);
        }
        var shifted =
                new ModelSigmas(1, trained, t -> NoiseLevel.shifted(t / trained, shift), true);
        List<NoiseLevel> levels = new ArrayList<>();
        for (NoiseLevel given :
                choice.levels(steps, shifted, sigma -> sigma * trained, FlowLevels::level)) {
            double sigma =
                    choice.spacing() == null
                            ? (float) NoiseLevel.shifted((float) given.sigma(), shift)
                            : given.sigma();
            levels.add(level(sigma, (float) sigma * trained));
        }
        return levels;
    }

    private static NoiseLevel level(double sigma, double timestep) {
        if (!(sigma <= 1)) {
            throw new IllegalArgumentException(
                    "the sigma of a flow is above 0 and at most 1, not " + sigma);
        }
        return NoiseLevel.flow((float) sigma, timestep);
    }
}
