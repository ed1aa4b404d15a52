package dev.darkroom.models.unet;

import dev.darkroom.runtime.Tensor;

/** What other networks add to what the way down of a {@link Unet} made. */
@FunctionalInterface
interface Residuals {
    /** Adds nothing. */
    Residuals NONE = (made, latents, timesteps) -> made;

    /**
     * Adds them.
     *
     * @param made by the U-Net's way down; closed where something else takes its place
     * @param latents noisy, without what else a U-Net is shown {@code [N,C,H,W]}
     * @param timesteps {@code [N]}, or {@code [1]} for all
     */
    Features addTo(Features made, Tensor latents, Tensor timesteps);
}
