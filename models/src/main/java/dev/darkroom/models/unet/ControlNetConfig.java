package dev.darkroom.models.unet;

import static dev.darkroom.models.config.Option.require;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The config of a {@link ControlNet}; names and defaults are those of diffusers' {@code
 * ControlNetModel}.
 *
 * @param path of the U-Net's way down; what it says of the way up does not matter
 * @param conditioningChannels widths of the picture's convolutions, from the pixels' resolution
 *     down: each after the first halves it
 * @param isBgr whether the picture's channels are blue, green, red
 * @param isPooled whether what the net adds is averaged over the picture, as for one that follows
 *     its content and not its layout; it then acts under the condition alone
 */
public record ControlNetConfig(
        UnetConfig path, List<Integer> conditioningChannels, boolean isBgr, boolean isPooled) {
    private static final String CHANNELS = "conditioning_embedding_out_channels";
    private static final String ORDER = "controlnet_conditioning_channel_order";

    /** The most widths: more than any picture can be halved by. */
    public static final int MAX_WIDTHS = 16;

    public ControlNetConfig {
        Objects.requireNonNull(path, "path");
        conditioningChannels = List.copyOf(conditioningChannels);
        int widths = conditioningChannels.size();
        require(widths >= 1 && widths <= MAX_WIDTHS, CHANNELS, conditioningChannels);
        for (int width : conditioningChannels) {
            require(width >= 1, CHANNELS, conditioningChannels);
        }
    }

    /**
     * Reads the {@code config.json} of a diffusers {@code ControlNetModel}.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static ControlNetConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, ControlNetConfig::of);
    }

    /** Reads a config as {@link #read} does, from one that is part of another. */
    public static ControlNetConfig of(ConfigReader json) {
        json.only("conditioning_channels", 3);
        json.only("num_class_embeds", (Object) null);
        json.only(ORDER, "rgb", "bgr");
        return new ControlNetConfig(
                UnetConfig.ofContracting(json),
                json.integers(CHANNELS, List.of(16, 32, 96, 256)),
                json.text(ORDER, "rgb").equals("bgr"),
                json.flag("global_pool_conditions", false));
    }

    /** Returns how many pixels, in each direction, one of the latents stands for. */
    public int pixelsPerLatent() {
        return 1 << (conditioningChannels.size() - 1);
    }

    /** Says where the net does not fit a U-Net, with both numbers; nothing where it does. */
    public List<String> misfits(UnetConfig unet) {
        var misfits = new ArrayList<String>();
        compare(misfits, "block_out_channels", path.blockOutChannels(), unet.blockOutChannels());
        compare(misfits, "layers_per_block", path.layersPerBlock(), unet.layersPerBlock());
        compare(misfits, "cross_attention_dim", path.crossAttentionDim(), unet.crossAttentionDim());
        compare(misfits, "channels of latents", path.inChannels(), unet.outChannels());
        compare(misfits, "addition_embed_type", addition(path), addition(unet));
        if (path.isSized() && unet.isSized()) {
            compare(
                    misfits,
                    "projection_class_embeddings_input_dim",
                    String.valueOf(path.projectionInputDim()),
                    String.valueOf(unet.projectionInputDim()));
        }
        return List.copyOf(misfits);
    }

    private static void compare(List<String> misfits, String option, Object net, Object unet) {
        if (!net.equals(unet)) {
            misfits.add(option + " " + net + ", and the U-Net " + unet);
        }
    }

    private static String addition(UnetConfig config) {
        return config.isSized() ? "text_time" : "null";
    }
}
