package dev.darkroom.training.objective;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;

/**
 * What gives an autoencoder's latents z mean 0 and variance 1, as diffusion wants them: (z − shift)
 * · scale (Rombach et al. 2022, arXiv:2112.10752, section G: the scale is measured; the shift is
 * Esser et al.'s, 2024).
 *
 * @param scale one over the standard deviation of all elements
 * @param shift their mean
 */
public record LatentScale(double scale, double shift) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /**
     * Measures it over pictures' posteriors, their variance included, without drawing from them.
     *
     * @param batches images {@code [N,C,H,W]} from −1 to 1; each is used while the iterator stands
     *     at it, and not closed; one that the iterator makes is freed then
     * @throws IllegalArgumentException if there are no pictures, or their latents do not vary or
     *     are not finite
     */
    public static LatentScale measure(AutoencoderKl autoencoder, Iterable<Tensor> batches) {
        double sum = 0;
        double squares = 0;
        long count = 0;
        for (Iterator<Tensor> each = batches.iterator(); each.hasNext(); ) {
            try (var scope = TensorScope.open();
                    var mode = Mode.NO_GRAD.enter()) {
                Tensor images = each.next();
                var posterior = autoencoder.encode(images);
                var mean = posterior.mean().to(DType.FLOAT64);
                var variance = posterior.logVariance().to(DType.FLOAT64).exp();
                sum += mean.sum().item();
                squares += mean.square().plus(variance).sum().item(); // E z² = μ² + σ²
                count += mean.elements();
            }
        }
        double mean = sum / count;
        double variance = squares / count - mean * mean;
        if (count == 0 || !(variance > 0) || Double.isInfinite(variance)) {
            throw new IllegalArgumentException(
                    count == 0
                            ? "there are no pictures to measure latents of"
                            : "the latents have the variance "
                                    + variance
                                    + "; is the autoencoder trained?");
        }
        return new LatentScale(1 / Math.sqrt(variance), mean);
    }

    /**
     * Sets {@code scaling_factor} and {@code shift_factor} in an autoencoder's {@code config.json};
     * the rest stays as it is.
     *
     * @throws IOException if the file can't be read or written, or holds no JSON object
     */
    public void writeTo(Path config) throws IOException {
        if (!(JSON.readTree(config.toFile()) instanceof ObjectNode json)) {
            throw new IOException(config + " should hold a JSON object");
        }
        json.put("scaling_factor", scale).put("shift_factor", shift);
        JSON.writerWithDefaultPrettyPrinter().writeValue(config.toFile(), json);
    }
}
