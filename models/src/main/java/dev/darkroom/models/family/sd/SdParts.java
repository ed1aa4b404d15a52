package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.ControlNets;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.NoiseAugmentation;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.models.unet.ControlNet;
import dev.darkroom.models.unet.SteeredUnet;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.VaeCodec;

import java.io.IOException;
import java.util.List;
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
        SdParts parts = readAny(checkpoint, sampleSize);
        UnetConfig config = parts.config();
        boolean paints = parts.shown() == 1 + config.outChannels();
        if ((parts.shown() != 0 && !paints) || config.numClassEmbeds() != null) {
            throw parts.unfit("is shown nothing, or a mask and the picture that it leaves");
        }
        return parts;
    }

    /** Reads the configs, whatever the U-Net is shown beside the latents. */
    static SdParts readAny(Checkpoint checkpoint, int sampleSize) throws IOException {
        checkpoint.leaveOut("image_encoder");
        UNET.require(checkpoint);
        VaeCodec.require(checkpoint);
        var samplers = SamplerChoice.read(checkpoint);
        var network = UNET.read(checkpoint);
        return new SdParts(checkpoint, network, samplers, sampleSize);
    }

    UnetConfig config() {
        return network.config();
    }

    /** Channels that the U-Net is shown beside the latents. */
    int shown() {
        return config().inChannels() - config().outChannels();
    }

    /**
     * A U-Net that is of another pipeline.
     *
     * @param what one of this pipeline does
     */
    CheckpointException unfit(String what) {
        return new CheckpointException(
                checkpoint.folder()
                        + ": the U-Net takes "
                        + config().inChannels()
                        + " channels"
                        + (config().numClassEmbeds() == null ? "" : " and a level of noise")
                        + " and gives "
                        + config().outChannels()
                        + "; that of a "
                        + checkpoint.className()
                        + " "
                        + what);
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

    Model load(Conditioner conditioner, TaskDefaults defaults) throws IOException {
        return load(conditioner, defaults, defaults);
    }

    /**
     * Loads a model.
     *
     * @param controlled its defaults where ControlNets steer it
     */
    Model load(Conditioner conditioner, TaskDefaults defaults, TaskDefaults controlled)
            throws IOException {
        Unet unet = network.load(checkpoint);
        var codec = VaeCodec.load(checkpoint, config().outChannels(), config().outChannels());
        int pixels = codec.pixelsPerLatent();
        List<ControlNet> nets = new ControlNetLoader(checkpoint, config(), pixels).load();
        return new Model(
                unet,
                conditioner,
                codec,
                samplers,
                Sizes.inMultiplesOf(pixels, size() * pixels),
                nets.isEmpty() ? defaults : controlled,
                null,
                nets.isEmpty() ? ControlNets.NONE : new SteeredUnet(unet, nets));
    }

    /**
     * Loads a model whose latents are as large as the picture that it is shown.
     *
     * @param scalingFactor of the autoencoder
     */
    Model loadUpscaler(
            Conditioner conditioner,
            TaskDefaults defaults,
            NoiseAugmentation augmentation,
            double scalingFactor)
            throws IOException {
        Unet unet = network.load(checkpoint);
        int channels = config().outChannels();
        var codec = VaeCodec.load(checkpoint, channels, channels, scalingFactor);
        var sizes = Sizes.enlarged(codec.pixelsPerLatent(), size());
        return new Model(
                unet,
                conditioner,
                codec,
                samplers,
                sizes,
                defaults,
                augmentation,
                ControlNets.NONE);
    }

    /** Rows and columns of the latents that it was trained with. */
    private int size() {
        return Objects.requireNonNullElse(config().sampleSize(), sampleSize);
    }
}
