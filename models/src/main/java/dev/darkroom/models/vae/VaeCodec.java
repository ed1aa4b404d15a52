package dev.darkroom.models.vae;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.family.LatentCodec;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Shape;

import org.jspecify.annotations.Nullable;

import java.io.IOException;

/**
 * Latents of a checkpoint's autoencoder, the part {@value #PART}, or of another one that the
 * options name in its place: an {@link AutoencoderKl} or an {@link AutoencoderTiny}.
 */
public interface VaeCodec extends LatentCodec {
    /** The name of the part. */
    String PART = "vae";

    /** The folder beside the part that may hold a tiny autoencoder of the same latents. */
    String TINY = "vae_tiny";

    /** Pixels of the picture for one of the latents, in each direction. */
    int pixelsPerLatent();

    /** Channels of the latents. */
    int latentChannels();

    @Override
    default Shape latents(Size size) {
        int pixels = pixelsPerLatent();
        return Shape.of(latentChannels(), size.height() / pixels, size.width() / pixels);
    }

    /**
     * Requires the part, unless the options name another autoencoder.
     *
     * @throws CheckpointException if it is not there, or is of another class
     */
    static void require(Checkpoint checkpoint) throws CheckpointException {
        checkpoint.leaveOut(TINY);
        if (checkpoint.options().vae() == null) {
            checkpoint.requirePart(PART, VaeLoader.KL, VaeLoader.TINY);
        } else {
            checkpoint.leaveOut(PART);
        }
    }

    /**
     * Loads the autoencoder. Where it is not tiny and the checkpoint has a tiny one beside it, that
     * one makes the previews.
     *
     * @param inChannels of the latents that the network takes
     * @param outChannels that it predicts
     * @throws IOException if it can't be read, or has other latents than the network
     */
    static VaeCodec load(Checkpoint checkpoint, int inChannels, int outChannels)
            throws IOException {
        return load(checkpoint, inChannels, outChannels, null);
    }

    /**
     * Loads the autoencoder as {@link #load(Checkpoint, int, int)} does.
     *
     * @param scalingFactor that it has whatever its config says, which a warning tells; null for
     *     its config's
     * @throws IOException if it can't be read, or has other latents than the network
     */
    static VaeCodec load(
            Checkpoint checkpoint, int inChannels, int outChannels, @Nullable Double scalingFactor)
            throws IOException {
        boolean predicts = outChannels == inChannels || outChannels == 2 * inChannels;
        return new VaeLoader(checkpoint, scalingFactor)
                .load(
                        channels -> {
                            if (channels != inChannels || !predicts) {
                                throw new CheckpointException(
                                        checkpoint.folder()
                                                + ": the autoencoder's latents have "
                                                + channels
                                                + " channels, the network takes "
                                                + inChannels
                                                + " and gives "
                                                + outChannels);
                            }
                        });
    }
}
