package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A guidance whose x̂0 is kept in the range of the data by dynamic thresholding (Saharia et al.
 * 2022, arXiv:2205.11487, section 2.3), as great weights lead out of it. The noise is that which is
 * left of x. It is meant for models of pixels, whose data are in ±1.
 *
 * @param ratio which quantile of the magnitudes is the threshold, from 0 to 1
 * @param limit the greatest threshold, above 0
 */
public record Thresholded(Guidance guidance, double ratio, double limit) implements Guidance {
    public Thresholded {
        Objects.requireNonNull(guidance, "guidance");
        Clipping.dynamic(ratio, limit);
    }

    @Override
    public List<List<String>> evaluations() {
        return guidance.evaluations();
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        Denoised denoised = guidance.denoise(x, at, evaluator);
        Tensor x0 = Clipping.dynamic(ratio, limit).clip(denoised.x0());
        return new Denoised(x0, null, denoised.variance(), denoised.unconditional());
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        return new Thresholded(guidance.over(levels, zeros), ratio, limit);
    }
}
