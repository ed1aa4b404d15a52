package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.FileLayout;
import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.sd.OriginalFile.Kind;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.nn.Module;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/** What a checkpoint folder would be as an {@link OriginalFile}. */
final class OriginalLayout {
    private final Checkpoint checkpoint;
    private final Map<String, KeyMap> weights = new LinkedHashMap<>();
    private final Map<String, Function<ConfigReader, ?>> configs = new LinkedHashMap<>();

    private OriginalLayout(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /**
     * Finds the names of a checkpoint's tensors.
     *
     * @param checkpoint whose networks were made
     * @throws CheckpointException if the names of such files can't say how its networks are built
     */
    static FileLayout of(Checkpoint checkpoint) throws IOException {
        return new OriginalLayout(checkpoint).layout();
    }

    private FileLayout layout() throws IOException {
        Map<String, Module> networks = checkpoint.networks();
        var unet = (Unet) Objects.requireNonNull(networks.get("unet"));
        if (!(networks.get("vae") instanceof AutoencoderKl vae)) {
            throw refusal("its autoencoder is a tiny one, which has no names there");
        }
        unet(unet.config());
        if (!networks.containsKey("text_encoder_2")) {
            if (unet.config().isSized()) {
                throw refusal(
                        "the only text encoder stands in the place of the first; call the parts"
                                + " text_encoder_2 and tokenizer_2, also in "
                                + Checkpoint.INDEX);
            }
            // The linear layers are what came with OpenCLIP.
            boolean second = unet.config().useLinearProjection();
            text(networks, "text_encoder", (second ? Kind.SECOND : Kind.FIRST).prefix, second);
        } else if (networks.containsKey("text_encoder")) {
            text(networks, "text_encoder", OriginalFile.FIRST_OF_XL, false);
            text(networks, "text_encoder_2", Kind.XL.prefix, true);
        } else {
            text(networks, "text_encoder_2", Kind.REFINER.prefix, true);
        }
        vae(vae.config());
        var predictions = Predictions.of(SamplerChoice.read(checkpoint).config());
        return new FileLayout(weights, configs, predictions.metadata(), predictions.marks());
    }

    private CheckpointException refusal(String reason) {
        return new CheckpointException(checkpoint.folder() + " can't be a single file: " + reason);
    }

    private void unet(UnetConfig config) throws CheckpointException {
        if (!config.upBlockAttention().equals(config.downBlockAttention().reversed())) {
            throw refusal(
                    "the blocks of the U-Net attend to the text on other levels on the way up than"
                            + " on the way down");
        }
        weights.put(
                "unet",
                OriginalKeys.unet(
                        OriginalFile.UNET, config.layersPerBlock(), config.downBlockAttention()));
        configs.put("unet/config.json", UnetConfig::of);
    }

    private void vae(AutoencoderKlConfig config) throws CheckpointException {
        if (config.downBlockAttention().contains(true)
                || config.upBlockAttention().contains(true)) {
            throw refusal("levels of the autoencoder attend, which has no name there");
        }
        int levels = config.blockOutChannels().size();
        weights.put(
                "vae", OriginalKeys.autoencoder(OriginalFile.VAE, levels, config.layersPerBlock()));
        configs.put("vae/config.json", AutoencoderKlConfig::of);
    }

    private void text(Map<String, Module> networks, String part, String prefix, boolean open) {
        var encoder = (ClipTextEncoder) Objects.requireNonNull(networks.get(part));
        ClipConfig config = encoder.config();
        weights.put(
                part,
                open
                        ? OriginalKeys.openClip(prefix, config.numHiddenLayers())
                        : OriginalKeys.clip(prefix, true));
        configs.put(
                part + "/config.json",
                config.projectionDim() == null ? ClipConfig::of : ClipConfig::ofProjecting);
    }
}
