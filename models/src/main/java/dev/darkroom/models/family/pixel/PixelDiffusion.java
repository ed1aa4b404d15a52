package dev.darkroom.models.family.pixel;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.family.ClassLabels;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.family.TaskDefaults;

import java.io.IOException;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Diffusion of pixels: DDPM (Ho et al. 2020, arXiv:2006.11239), which takes neither prompt nor
 * class, and consistency models (Song et al. 2023, arXiv:2303.01469), which may take classes.
 */
public final class PixelDiffusion implements Family {
    /** What diffusers' pipelines take where nothing is said; nothing is guided. */
    private static final Map<String, TaskDefaults> DEFAULTS =
            Map.of(
                    "DDPMPipeline", TaskDefaults.of(1000, 1.0),
                    "DDIMPipeline", TaskDefaults.of(50, 1.0),
                    "ConsistencyModelPipeline", TaskDefaults.of(1, 1.0));

    private static final NetworkPart<PixelUnetConfig, PixelUnet> UNET = PixelUnet.part();

    /** The family. */
    public PixelDiffusion() {}

    @Override
    public Set<String> pipelines() {
        return DEFAULTS.keySet();
    }

    @Override
    public boolean samplesWithoutInputs() {
        return true;
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        UNET.require(checkpoint);
        var samplers = SamplerChoice.read(checkpoint);
        var network = UNET.read(checkpoint);
        PixelUnetConfig config = network.config();
        Integer classes = config.numClassEmbeds();
        requirePictures(checkpoint, config);
        Sizes sizes = sizes(checkpoint, config);
        var conditioner =
                new PixelConditioner(
                        classes == null ? null : ClassLabels.read(checkpoint, "unet", classes),
                        checkpoint.options().device());
        return new Model(
                network.load(checkpoint),
                conditioner,
                new PixelCodec(config.inChannels()),
                samplers,
                sizes,
                Objects.requireNonNull(DEFAULTS.get(checkpoint.className())));
    }

    private static void requirePictures(Checkpoint checkpoint, PixelUnetConfig config)
            throws CheckpointException {
        int in = config.inChannels();
        int out = config.outChannels();
        if (in != 1 && in != 3 || out != in && out != 2 * in) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net takes "
                            + in
                            + " channels and gives "
                            + out
                            + "; pictures have 3, or 1 if they are grey, and the prediction as"
                            + " many, or twice as many with a variance");
        }
    }

    private static Sizes sizes(Checkpoint checkpoint, PixelUnetConfig config)
            throws CheckpointException {
        Size own = config.sampleSize();
        if (own == null) {
            throw new CheckpointException(
                    checkpoint.folder()
                            + ": the U-Net's config has no sample_size, which says how large the"
                            + " pictures are that it was trained on");
        }
        return Sizes.inMultiplesOf(config.multiple(), own);
    }
}
