package dev.darkroom.models.vae;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.PartElsewhere;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** Loads the autoencoder of a checkpoint, or another one in its place. */
final class VaeLoader {
    static final String KL = "AutoencoderKL";
    static final String TINY = "AutoencoderTiny";

    private static final String CONFIG = "config.json";

    private final Checkpoint checkpoint;

    private final @Nullable Double scalingFactor;

    /** Another autoencoder; null for the checkpoint's own. */
    private final @Nullable PartElsewhere other;

    /** Refuses an autoencoder with other latents than the network's. */
    interface Fit {
        void require(int channels) throws CheckpointException;
    }

    /**
     * @param scalingFactor that an {@value #KL} has whatever its config says; null for its config's
     */
    VaeLoader(Checkpoint checkpoint, @Nullable Double scalingFactor) {
        this.checkpoint = checkpoint;
        this.scalingFactor = scalingFactor;
        Path given = checkpoint.options().vae();
        other = given == null ? null : PartElsewhere.in(given, VaeCodec.PART, "autoencoder");
    }

    VaeCodec load(Fit fit) throws IOException {
        String className = className();
        LoadOptions options = checkpoint.options();
        if (className.equals(TINY)) {
            AutoencoderTinyConfig config = config(AutoencoderTinyConfig::of);
            fit.require(config.latentChannels());
            requireSize(config.downsampling());
            return new TinyCodec(
                    network(
                            dtype(options, config.forceUpcast()),
                            UnaryOperator.identity(),
                            w -> new AutoencoderTiny(w, config)));
        }
        AutoencoderKlConfig config = scaled(config(AutoencoderKlConfig::of));
        fit.require(config.latentChannels());
        requireSize(config.downsampling());
        return new AutoencoderCodec(
                network(
                        dtype(options, config.forceUpcast()),
                        OldAttention::currentNames,
                        w -> new AutoencoderKl(w, config)),
                options.tiling(),
                TinyPreview.of(checkpoint, config));
    }

    private AutoencoderKlConfig scaled(AutoencoderKlConfig config) throws IOException {
        if (scalingFactor == null || config.scalingFactor() == scalingFactor) {
            return config;
        }
        ObjectNode json = other == null ? checkpoint.config(VaeCodec.PART, CONFIG) : other.json();
        if (json.has("scaling_factor")) {
            checkpoint
                    .warnings()
                    .add(
                            file()
                                    + ": scaling_factor is "
                                    + config.scalingFactor()
                                    + "; "
                                    + scalingFactor
                                    + " was taken, as "
                                    + checkpoint.className()
                                    + " does");
        }
        return config.withScalingFactor(scalingFactor);
    }

    /** Refuses another autoencoder whose pictures are larger or smaller than the checkpoint's. */
    private void requireSize(int pixels) throws IOException {
        if (other == null || !checkpoint.has(VaeCodec.PART, CONFIG)) {
            return;
        }
        ObjectNode json = checkpoint.config(VaeCodec.PART, CONFIG);
        Path own = checkpoint.file(VaeCodec.PART, CONFIG);
        var unheard = Warnings.collected();
        int expected =
                json.path("_class_name").asText().equals(TINY)
                        ? ConfigReader.read(own, json, unheard, AutoencoderTinyConfig::of)
                                .downsampling()
                        : ConfigReader.read(own, json, unheard, AutoencoderKlConfig::of)
                                .downsampling();
        requireSize(file(), pixels, expected);
    }

    /**
     * Refuses an autoencoder whose pictures have another size than those of the checkpoint's.
     *
     * @param config of the autoencoder, for the message
     */
    static void requireSize(Path config, int pixels, int expected) throws CheckpointException {
        if (pixels != expected) {
            throw new CheckpointException(
                    config
                            + ": one of the latents stands for "
                            + pixels
                            + "×"
                            + pixels
                            + " pixels, in the checkpoint's autoencoder for "
                            + expected
                            + "×"
                            + expected
                            + "; it is of another model");
        }
    }

    private String className() throws IOException {
        return other == null
                ? checkpoint.requirePart(VaeCodec.PART, KL, TINY)
                : other.className(KL, TINY);
    }

    private Path file() throws CheckpointException {
        return other == null ? checkpoint.file(VaeCodec.PART, CONFIG) : other.file();
    }

    private <C> C config(Function<ConfigReader, C> reader) throws IOException {
        return other == null
                ? ConfigReader.read(
                        file(),
                        checkpoint.config(VaeCodec.PART, CONFIG),
                        checkpoint.warnings(),
                        reader)
                : other.config(reader, checkpoint.warnings());
    }

    private <M extends Module> M network(
            DType dtype, UnaryOperator<WeightSource> naming, Function<Weights, M> network)
            throws IOException {
        return other == null
                ? checkpoint.network(VaeCodec.PART, WeightFiles.DIFFUSERS, dtype, naming, network)
                : checkpoint.network(
                        other.folder(),
                        VaeCodec.PART,
                        WeightFiles.DIFFUSERS,
                        dtype,
                        naming,
                        network);
    }

    /** As in diffusers, {@code force_upcast} is about float16 alone; bfloat16 does not overflow. */
    private static DType dtype(LoadOptions options, boolean forceUpcast) {
        if (options.vaeDtype() != null) {
            return options.vaeDtype();
        }
        boolean overflows = options.dtype() == DType.FLOAT16 && forceUpcast;
        return overflows ? DType.FLOAT32 : options.dtype();
    }
}
