package dev.darkroom.models;

import com.fasterxml.jackson.databind.JsonNode;

import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.clip.ClipTextEncoder;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.dit.DitTransformer;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.family.pixel.PixelUnet;
import dev.darkroom.models.family.pixel.PixelUnetConfig;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.unet.ControlNet;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.models.unet.Unet;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.models.vae.AutoencoderTiny;
import dev.darkroom.models.vae.AutoencoderTinyConfig;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** Every network that there is, by the class that configs name: the line to add with a family. */
final class Networks {
    /**
     * A network that a config describes.
     *
     * @param tied what the reference declares besides: other names of the same tensors
     */
    record Network(Function<Weights, Module> constructor, Set<String> tied) {}

    private static final Map<String, Function<ConfigReader, Network>> BY_CLASS =
            Map.of(
                    "PixArtTransformer2DModel", Networks::pixart,
                    "DiTTransformer2DModel", Networks::dit,
                    "UNet2DConditionModel", Networks::unet,
                    "UNet2DModel", Networks::pixelUnet,
                    "ControlNetModel", Networks::controlNet,
                    "T5EncoderModel", Networks::t5,
                    "CLIPTextModel", json -> clip(ClipConfig.of(json)),
                    "CLIPTextModelWithProjection", json -> clip(ClipConfig.ofProjecting(json)),
                    "AutoencoderKL", Networks::vae,
                    "AutoencoderTiny", Networks::tiny);

    private Networks() {}

    /**
     * The network of a config; empty if there is none of its class yet.
     *
     * @throws IllegalArgumentException if the config can't be read, or has an unknown option
     */
    static Optional<Network> of(JsonNode config) {
        return Optional.ofNullable(BY_CLASS.get(className(config)))
                .map(read -> ConfigReader.of("", config.toString(), Warnings.strict(), read));
    }

    private static String className(JsonNode config) {
        String name = config.path("_class_name").asText();
        if (name.equals("Transformer2DModel")) {
            boolean isPixArt = config.path("norm_type").asText().equals("ada_norm_single");
            return isPixArt ? "PixArtTransformer2DModel" : "DiTTransformer2DModel";
        }
        if (!name.isEmpty()) {
            return name;
        }
        String architecture = config.path("architectures").path(0).asText();
        boolean isT5 = config.path("model_type").asText().equals("t5");
        return architecture.isEmpty() && isT5 ? "T5EncoderModel" : architecture;
    }

    private static Network pixart(ConfigReader json) {
        PixArtConfig config = PixArtConfig.of(json);
        return new Network(w -> new PixArtTransformer(w, config), Set.of());
    }

    private static Network dit(ConfigReader json) {
        DitConfig config = DitConfig.of(json);
        return new Network(w -> new DitTransformer(w, config), Set.of());
    }

    private static Network unet(ConfigReader json) {
        UnetConfig config = UnetConfig.of(json);
        return new Network(w -> new Unet(w, config), Set.of());
    }

    private static Network controlNet(ConfigReader json) {
        ControlNetConfig config = ControlNetConfig.of(json);
        return new Network(w -> new ControlNet(w, config), Set.of());
    }

    private static Network pixelUnet(ConfigReader json) {
        PixelUnetConfig config = PixelUnetConfig.of(json);
        return new Network(w -> new PixelUnet(w, config), Set.of());
    }

    private static Network clip(ClipConfig config) {
        return new Network(w -> new ClipTextEncoder(w, config), Set.of());
    }

    private static Network t5(ConfigReader json) {
        T5Config config = T5Config.of(json);
        return new Network(w -> new T5Encoder(w, config), Set.of("encoder.embed_tokens.weight"));
    }

    private static Network tiny(ConfigReader json) {
        AutoencoderTinyConfig config = AutoencoderTinyConfig.of(json);
        return new Network(w -> new AutoencoderTiny(w, config), Set.of());
    }

    private static Network vae(ConfigReader json) {
        AutoencoderKlConfig config = AutoencoderKlConfig.of(json);
        return new Network(w -> new AutoencoderKl(w, config), Set.of());
    }
}
