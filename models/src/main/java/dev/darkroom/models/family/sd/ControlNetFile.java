package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.StoredTensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/**
 * A ControlNet in a single file, with the names of its authors or those of hubs. It has no config:
 * what follows from its tensors is taken from them, and the rest from the U-Net that it is to
 * steer, of which it is a copy.
 *
 * @param config of the net
 * @param names of its tensors in the file
 */
record ControlNetFile(ControlNetConfig config, KeyMap names) {
    private static final String EMBEDDING = "controlnet_cond_embedding.";
    private static final String CONV_IN = EMBEDDING + "conv_in.weight";

    /** What the names in a file begin with. */
    private static final List<String> PREFIXES = List.of("control_model.", "");

    /**
     * Finds the names.
     *
     * @throws CheckpointException if there is no ControlNet in the file, or one of another width
     */
    static ControlNetFile of(SafetensorsHeader file, UnetConfig unet) throws CheckpointException {
        IntFunction<KeyMap> naming = naming(file, unet);
        KeyMap most = naming.apply(ControlNetConfig.MAX_WIDTHS);
        List<Integer> widths = new ArrayList<>();
        for (Integer width = size(file, most, CONV_IN, 0);
                width != null && widths.size() < ControlNetConfig.MAX_WIDTHS;
                width = size(file, most, block(2 * widths.size() - 1), 0)) {
            widths.add(width);
        }
        requireWidth(file, most, unet);
        return new ControlNetFile(
                new ControlNetConfig(unet.contracting(), widths, false, false),
                naming.apply(widths.size()));
    }

    /** Returns the names by how many widths the picture's convolutions have. */
    private static IntFunction<KeyMap> naming(SafetensorsHeader file, UnetConfig unet)
            throws CheckpointException {
        List<IntFunction<KeyMap>> known = new ArrayList<>(List.of(widths -> new KeyMap("")));
        for (String prefix : PREFIXES) {
            known.add(
                    widths ->
                            OriginalKeys.controlNet(
                                    prefix,
                                    unet.layersPerBlock(),
                                    unet.downBlockAttention(),
                                    widths));
        }
        for (IntFunction<KeyMap> naming : known) {
            if (size(file, naming.apply(1), CONV_IN, 0) != null) {
                return naming;
            }
        }
        throw new CheckpointException(
                file.file()
                        + " holds no ControlNet: it has neither control_model.input_hint_block.*"
                        + " nor "
                        + EMBEDDING
                        + "*; name one of a U-Net of Stable Diffusion");
    }

    private static String block(int index) {
        return EMBEDDING + "blocks." + index + ".weight";
    }

    /** A size of a tensor; null if the file has none of its name. */
    private static @Nullable Integer size(
            SafetensorsHeader file, KeyMap names, String hub, int dimension) {
        StoredTensor tensor = file.tensors().get(names.original(hub).key());
        return tensor == null || tensor.shape().rank() <= dimension
                ? null
                : Math.toIntExact(tensor.shape().size(dimension));
    }

    /** The widths of the text tell Stable Diffusion 1, 2 and XL apart. */
    private static void requireWidth(SafetensorsHeader file, KeyMap names, UnetConfig unet)
            throws CheckpointException {
        String text = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
        Integer width = size(file, names, text, 1);
        if (width != null && width != unet.crossAttentionDim()) {
            throw new CheckpointException(
                    file.file()
                            + ": this ControlNet is for another model: it takes a text of width "
                            + width
                            + ", and the U-Net "
                            + unet.crossAttentionDim()
                            + "; name one that was trained for this kind of U-Net");
        }
    }
}
