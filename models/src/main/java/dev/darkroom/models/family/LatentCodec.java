package dev.darkroom.models.family;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

/** The way between pictures and latents, which the network denoises. */
public interface LatentCodec extends AutoCloseable {
    /**
     * The shape of the latents of one picture, without the batch, such as {@code [C,h,w]}.
     *
     * @param size as it is sampled
     */
    Shape latents(Size size);

    /**
     * Decodes the latents of one picture.
     *
     * @param latents as the network has them {@code [1,…]}
     * @return float32 {@code [1,3,H,W]}, about from −1 to 1
     * @throws ModelException if the picture is not finite
     */
    Tensor decode(Tensor latents, Report report);

    /**
     * Decodes an estimate of the latents of one picture for a preview, which may be less exact and
     * faster than {@link #decode}.
     *
     * @param latents as the network has them {@code [1,…]}
     * @return float32 {@code [1,3,H,W]}, about from −1 to 1
     */
    default Tensor preview(Tensor latents, Report report) {
        return decode(latents, report);
    }

    /**
     * Shows an estimate of the latents of one picture in far less time than a step of sampling
     * takes: as {@link #preview} does, or roughly and smaller, where that would take long.
     *
     * @param latents as the network has them {@code [1,…]}
     * @return float32 {@code [1,3,H,W]} or {@code [1,3,h,w]}, about from −1 to 1
     */
    default Tensor quickPreview(Tensor latents, Report report) {
        return preview(latents, report);
    }

    /**
     * Encodes a picture as latents.
     *
     * @param picture float32 {@code [1,3,H,W]} from −1 to 1
     * @param noise standard normal, which chooses among the latents that the encoder thinks
     *     possible {@code [N,…]}
     * @return as the network has them {@code [N,…]}
     * @throws ModelException if they are not finite
     * @throws IllegalArgumentException if the model has no encoder
     */
    default Tensor encode(Tensor picture, Tensor noise, Report report) {
        throw new IllegalArgumentException(
                "this checkpoint makes pictures of noise alone: it has no encoder for a picture");
    }

    /** About how many bytes decoding takes beside the weights; encoding takes no more. */
    long decodingBytes(Size size);

    /**
     * How many bytes its weights will take when they are loaded: 0 where they are, or it has none.
     */
    default long bytesToLoad() {
        return 0;
    }

    /** The network that decodes; null if it has none. */
    default @Nullable Module network() {
        return null;
    }

    /** The type that it computes in. */
    DType dtype();

    /** Frees what it made itself; the networks that it was given stay their owner's. */
    @Override
    default void close() {}
}
