package dev.darkroom.models.vae;

import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * Latents of an {@link AutoencoderTiny}: {@code [C,h,w]}.
 *
 * @param vae stays the caller's
 */
public record TinyCodec(AutoencoderTiny vae) implements VaeCodec {
    /** What is alive at once at the resolution of the picture, in widths of the features. */
    private static final int WIDTHS = 5;

    @Override
    public AutoencoderTiny network() {
        return vae;
    }

    @Override
    public DType dtype() {
        return vae.dtype();
    }

    @Override
    public int pixelsPerLatent() {
        return vae.config().downsampling();
    }

    @Override
    public int latentChannels() {
        return vae.config().latentChannels();
    }

    @Override
    public Tensor decode(Tensor latents, Report report) {
        try (var scope = TensorScope.open()) {
            Tensor image = vae.decode(latents.to(vae.dtype())).to(DType.FLOAT32);
            Finite.require(
                    image,
                    "the decoded picture",
                    vae.dtype().bytes() < DType.FLOAT32.bytes()
                            ? "ask for --vae-dtype float32"
                            : "the latents may be far out of range: use less guidance or other"
                                    + " steps");
            return scope.keep(image);
        }
    }

    /** Encodes a picture; there is nothing to choose among, so that the noise has no effect. */
    @Override
    public Tensor encode(Tensor picture, Tensor noise, Report report) {
        try (var scope = TensorScope.open()) {
            Tensor one = vae.encode(picture.to(vae.dtype())).to(DType.FLOAT32); // [1,C,h,w]
            Finite.require(one, "the latents of the picture", "the weights may be broken");
            return scope.keep(one.repeatInterleave(noise.size(0), 0));
        }
    }

    @Override
    public long bytesToLoad() {
        return vae.bytesToLoad();
    }

    @Override
    public long decodingBytes(Size size) {
        DType computed = Kernels.computed(vae.dtype(), Kernels.Work.CONVOLUTIONS, vae.device());
        long widths = (long) WIDTHS * vae.config().decoderChannels().getLast();
        return size.pixels() * widths * computed.bytes();
    }
}
