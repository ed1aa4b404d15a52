package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.VaeCodec;

import java.io.IOException;
import java.util.Objects;

/**
 * What all checkpoints of Stable Diffusion have, before it is loaded: U-Net, autoencoder and
 * scheduler.
 *
 * @param sampleSize rows and columns of the latents where the config does not say what it was
 *     trained with
 */
record SdParts(
        Checkpoint checkpoint,
        Architecture<UnetConfig, Unet> network,
        SamplerChoice samplers,
        int sampleSize) {
    private static final NetworkPart<UnetConfig, Unet> UNET = Unet.part();

    /**
     * Reads the configs.
     *
     * @throws IOException if a part is missing, malformed, or can't be sampled
     */
    static SdParts read(Checkpoint checkpoint, int sampleSize) throws IOException {
        checkpoint.leaveOut("image_encoder");
        UNET.require(checkpoint);
        VaeCodec.require(checkpoint);
        var samplers = SamplerChoice.read(checkpoint);
        var network = UNET.read(checkpoint);
        UnetConfig config = network.config();
        int shown = config.inChannels() - config.outChannels();
        if ((shown != 0 && shown != 1 + config.outChannels()) || config.numClassEmbeds() != null) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net takes "
                            + config.inChannels()
                            + " channels"
                            + (config.numClassEmbeds() == null ? "" : " and a level of noise")
                            + " and gives "
                            + config.outChannels()
                            + "; networks that are shown something else than a mask and the"
                            + " picture that it leaves are not sampled yet");
        }
        return new SdParts(checkpoint, network, samplers, sampleSize);
    }

    UnetConfig config() {
        return network.config();
    }

    /**
     * Refuses a text encoder and a U-Net of different checkpoints.
     *
     * @param encoders what is that wide
     * @param width of the texts
     */
    void requireTextWidth(String encoders, int width) throws CheckpointException {
        if (width != config().crossAttentionDim()) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": "
                            + encoders
                            + " "
                            + width
                            + " wide, the U-Net takes a text of width "
                            + config().crossAttentionDim());
        }
    }

    Model load(Conditioner conditioner, Defaults defaults) throws IOException {
        Unet unet = network.load(checkpoint);
        var codec = VaeCodec.load(checkpoint, config().outChannels(), config().outChannels());
        int pixels = codec.pixelsPerLatent();
        int size = Objects.requireNonNullElse(config().sampleSize(), sampleSize);
        return new Model(
                unet,
                conditioner,
                codec,
                samplers,
                Sizes.inMultiplesOf(pixels, size * pixels),
                defaults);
    }
}
