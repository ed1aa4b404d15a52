package dev.darkroom.models.layers;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/**
 * The embedding of latents as tokens, one for each patch of p × p, to which sinusoids of their
 * positions are added; and the way back from patches. The positions are computed for each size, so
 * that latents may have any.
 */
public final class PatchEmbed extends Module {
    private final long patch;
    private final long width;
    private final double base;
    private final double interpolation;
    private final Conv2d proj;

    /**
     * Declares the embedding.
     *
     * @param channels of the latents
     * @param width of the tokens, a multiple of 4
     * @param patch p
     * @param sampleSize rows and columns of the latents trained with
     * @param interpolation divides the coordinates of the positions
     */
    public PatchEmbed(
            Weights w,
            long channels,
            long width,
            long patch,
            long sampleSize,
            double interpolation) {
        super(w);
        this.patch = patch;
        this.width = width;
        this.interpolation = interpolation;
        base = sampleSize / patch;
        proj =
                new Conv2d(
                        w.sub("proj"),
                        channels,
                        width,
                        patch,
                        patch,
                        0,
                        true,
                        Init.linear(channels * patch * patch));
    }

    /**
     * Cuts latents into tokens, row by row.
     *
     * @param latents {@code [N,C,H,W]}, H and W multiples of p
     * @return {@code [N,T,D]}, T = H/p · W/p
     * @throws IllegalArgumentException if the latents have another shape
     */
    public Tensor forward(Tensor latents) {
        if (latents.rank() != 4 || latents.size(2) % patch != 0 || latents.size(3) % patch != 0) {
            throw new IllegalArgumentException(
                    "latents "
                            + latents.shape()
                            + " can't be cut into patches of "
                            + patch
                            + ": height and width must be multiples of it");
        }
        long rows = latents.size(2) / patch;
        long columns = latents.size(3) / patch;
        try (var scope = TensorScope.open()) {
            Tensor tokens = proj.forward(latents).flatten(2, 3).transpose(1, 2); // [N,T,D]
            Tensor positions =
                    Sinusoids.grid(rows, columns, width, base, interpolation, latents.device());
            return scope.keep(tokens.plus(positions).to(tokens.dtype()));
        }
    }

    /**
     * Puts predicted patches back together.
     *
     * @param tokens {@code [N,T,p·p·C]}
     * @param height H
     * @param width W
     * @return {@code [N,C,H,W]}
     */
    public Tensor unpatchify(Tensor tokens, long height, long width) {
        long channels = tokens.size(-1) / (patch * patch);
        return tokens.reshape(-1, height / patch, width / patch, patch, patch, channels)
                .permute(0, 5, 1, 3, 2, 4) // [N,C,H/p,p,W/p,p]
                .reshape(-1, channels, height, width);
    }
}
