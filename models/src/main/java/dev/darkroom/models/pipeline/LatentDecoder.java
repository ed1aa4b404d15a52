package dev.darkroom.models.pipeline;

import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.WeightSource;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Decodes latents with an autoencoder; where one of 16 bits overflows, again in float32. Not for
 * several threads at once.
 */
final class LatentDecoder implements AutoCloseable {
    private final AutoencoderKl vae;

    /** The same weights in float32, made when they are needed first, and kept. */
    private @Nullable AutoencoderKl wide;

    /**
     * @param vae stays the caller's
     */
    LatentDecoder(AutoencoderKl vae) {
        this.vae = vae;
    }

    /** About how many bytes decoding a picture takes beside the weights. */
    long bytes(long pixels, DType dtype) {
        var blocks = vae.config().blockOutChannels();
        long widest = 3L * blocks.getFirst() + blocks.get(Math.min(1, blocks.size() - 1));
        return pixels * widest * dtype.bytes();
    }

    /**
     * Decodes.
     *
     * @param latents of the diffusion model, {@code [N,C,h,w]}
     * @param notes is warned if 16 bits overflowed
     * @return float32 {@code [N,3,H,W]}, about from −1 to 1
     * @throws PipelineException if the result is not finite in float32 either
     */
    Tensor decode(Tensor latents, Notes notes) {
        Tensor image = decode(vae, latents);
        if (vae.dtype().bytes() < DType.FLOAT32.bytes() && !Finite.is(image)) {
            notes.warnOnce(
                    "decoding overflowed in "
                            + vae.dtype()
                            + " and was done again in float32; ask for that type"
                            + " (--vae-dtype float32) to save the first try");
            image.close();
            image = decode(wide(latents), latents);
        }
        Finite.require(
                image,
                "the decoded picture",
                "the latents may be far out of range: use less guidance or other steps");
        return image;
    }

    private static Tensor decode(AutoencoderKl vae, Tensor latents) {
        try (var scope = TensorScope.open()) {
            Tensor z = vae.unscaled(latents.to(vae.dtype()));
            return scope.keep(vae.decode(z).to(DType.FLOAT32));
        }
    }

    private AutoencoderKl wide(Tensor latents) {
        int factor = vae.config().downsampling();
        long pixels = latents.size(0) * latents.size(2) * latents.size(3) * factor * factor;
        if (vae.device().type() == Device.Type.CPU) {
            MemoryBudget.current()
                    .require(bytes(pixels, DType.FLOAT32), "decoding again in float32");
        }
        if (wide == null) {
            try {
                wide =
                        Weights.load(
                                WeightSource.of("vae", vae.state()),
                                DType.FLOAT32,
                                vae.device(),
                                w -> new AutoencoderKl(w, vae.config()));
            } catch (IOException e) {
                throw new UncheckedIOException("tensors in memory can be read", e);
            }
        }
        return wide;
    }

    @Override
    public void close() {
        if (wide != null) {
            wide.close();
        }
    }
}
