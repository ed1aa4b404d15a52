package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.checkpoint.PartElsewhere;
import dev.darkroom.models.unet.ControlNet;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.models.unet.UnetConfig;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Loads the ControlNets of a checkpoint, then those that the options name.
 *
 * @param unet that they are to fit
 * @param pixels for one of the latents, in each direction
 */
record ControlNetLoader(Checkpoint checkpoint, UnetConfig unet, int pixels) {
    private static final String PART = "controlnet";
    private static final String ONE = "ControlNetModel";

    /** Several, in folders {@code controlnet}, {@code controlnet_1} and so on. */
    private static final String SEVERAL = "MultiControlNetModel";

    private static final String CONFIG = "config.json";

    /**
     * Loads them.
     *
     * @throws IOException if one can't be read, or is of another U-Net
     */
    List<ControlNet> load() throws IOException {
        List<ControlNet> nets = new ArrayList<>();
        if (checkpoint.optionalPart(PART, ONE, SEVERAL).isPresent()) {
            do {
                nets.add(own(ControlNet.part(name(nets.size()))));
            } while (isAnother(nets.size()));
        }
        for (Path folder : checkpoint.options().controls()) {
            nets.add(elsewhere(PartElsewhere.in(folder, PART, "ControlNet"), nets.size()));
        }
        return List.copyOf(nets);
    }

    private boolean isAnother(int index) throws CheckpointException {
        return checkpoint.requirePart(PART).equals(SEVERAL) && checkpoint.has(name(index), CONFIG);
    }

    private static String name(int index) {
        return index == 0 ? PART : PART + "_" + index;
    }

    private ControlNet own(NetworkPart<ControlNetConfig, ControlNet> part) throws IOException {
        Architecture<ControlNetConfig, ControlNet> net = part.read(checkpoint);
        requireFit(net.config(), checkpoint.file(part.name(), CONFIG));
        return net.load(checkpoint);
    }

    private ControlNet elsewhere(PartElsewhere net, int index) throws IOException {
        net.className(ONE);
        NetworkPart<ControlNetConfig, ControlNet> part = ControlNet.part(name(index));
        ControlNetConfig config = net.config(part.reader(), checkpoint.warnings());
        requireFit(config, net.file());
        return checkpoint.network(
                net.folder(),
                part.name(),
                part.library().stem(),
                checkpoint.options().dtype(),
                part.naming(),
                w -> new ControlNet(w, config));
    }

    private void requireFit(ControlNetConfig net, Path file) throws CheckpointException {
        List<String> misfits = new ArrayList<>(net.misfits(unet));
        if (net.pixelsPerLatent() != pixels) {
            misfits.add(
                    "pixels for one of the latents "
                            + net.pixelsPerLatent()
                            + ", and the autoencoder "
                            + pixels);
        }
        if (!misfits.isEmpty()) {
            throw new CheckpointException(
                    file
                            + ": this ControlNet is for another model than "
                            + checkpoint.folder()
                            + ": it has "
                            + String.join("; ", misfits)
                            + "; name one that was trained for this kind of U-Net");
        }
    }
}
