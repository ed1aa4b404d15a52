package dev.darkroom.models.family;

import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.runtime.Tensor;

/**
 * Noise on the picture that an upscaler is shown, of a level that it is told (noise conditioning
 * augmentation: Ho et al. 2022, arXiv:2106.15282, section 4).
 *
 * @param schedule its levels
 * @param maxLevel the greatest that a request may choose
 */
public record NoiseAugmentation(NoiseSchedule schedule, int maxLevel) {
    /** diffusers' {@code noise_level}. */
    private static final int LEVEL = 20;

    /**
     * Checks the greatest level.
     *
     * @throws IllegalArgumentException if the schedule has no such level
     */
    public NoiseAugmentation {
        if (maxLevel < 0 || maxLevel >= schedule.timesteps()) {
            throw new IllegalArgumentException(
                    "max_noise_level "
                            + maxLevel
                            + " is no level of a schedule of "
                            + schedule.timesteps()
                            + " timesteps");
        }
    }

    /**
     * Returns the level that a request chooses, or that of diffusers' pipeline.
     *
     * @throws IllegalArgumentException if it is above the greatest
     */
    public int level(Edit edit) {
        int level = edit.noiseLevel() == null ? Math.min(LEVEL, maxLevel) : edit.noiseLevel();
        if (level > maxLevel) {
            throw new IllegalArgumentException(
                    "the level of noise must be 0 to "
                            + maxLevel
                            + " for this checkpoint, not "
                            + level);
        }
        return level;
    }

    /**
     * Puts noise on a picture.
     *
     * @param picture {@code [1,3,h,w]} from −1 to 1
     * @param noise standard normal {@code [N,3,h,w]}
     * @param level from 0 to the greatest
     * @return {@code [N,3,h,w]}
     */
    public Tensor noised(Tensor picture, Tensor noise, int level) {
        return schedule.level(level).noised(picture, noise);
    }
}
