package dev.darkroom.models.family.pixel;

import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.LatentCodec;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/**
 * Pixels that are their own latents.
 *
 * @param channels 3 for colour, 1 for grey
 */
public record PixelCodec(int channels) implements LatentCodec {
    private static final int COLOURS = 3;

    /**
     * Checks the channels.
     *
     * @throws IllegalArgumentException if they are neither those of colour nor of grey pictures
     */
    public PixelCodec {
        if (channels != 1 && channels != COLOURS) {
            throw new IllegalArgumentException(
                    "pictures have 3 channels, or 1 if they are grey, not " + channels);
        }
    }

    @Override
    public Shape latents(Size size) {
        return Shape.of(channels, size.height(), size.width());
    }

    @Override
    public Tensor decode(Tensor latents, Report report) {
        if (latents.rank() != 4 || latents.size(1) != channels) {
            throw new IllegalArgumentException(
                    "pictures must be [N," + channels + ",H,W], not " + latents.shape());
        }
        Finite.require(latents, "the picture", "use other steps or another sampler");
        Tensor image = latents.to(DType.FLOAT32);
        return channels == COLOURS
                ? image.alias()
                : image.expand(latents.size(0), COLOURS, latents.size(2), latents.size(3));
    }

    @Override
    public long decodingBytes(Size size) {
        return 2L * COLOURS * size.pixels() * DType.FLOAT32.bytes();
    }

    @Override
    public DType dtype() {
        return DType.FLOAT32;
    }
}
