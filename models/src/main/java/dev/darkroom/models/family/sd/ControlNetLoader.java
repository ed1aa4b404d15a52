package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Architecture;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.checkpoint.PartElsewhere;
import dev.darkroom.models.unet.ControlNet;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

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
        for (Path path : checkpoint.options().controls()) {
            String name = name(nets.size());
            nets.add(
                    Files.isRegularFile(path)
                            ? single(path, name)
                            : elsewhere(PartElsewhere.in(path, PART, "ControlNet"), name));
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

    private ControlNet single(Path file, String part) throws IOException {
        ControlNetFile net = ControlNetFile.of(SafetensorsHeader.read(file), unet);
        requireFit(net.config(), file);
        Function<Weights, ControlNet> network = w -> new ControlNet(w, net.config());
        Set<String> declared = Weights.declared(network).keySet();
        return checkpoint.network(
                file,
                part,
                checkpoint.options().dtype(),
                weights -> net.names().atHubs(weights, declared),
                network);
    }

    private ControlNet elsewhere(PartElsewhere net, String name) throws IOException {
        net.className(ONE);
        NetworkPart<ControlNetConfig, ControlNet> part = ControlNet.part(name);
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
