package dev.darkroom.models.vae;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A tiny autoencoder that makes previews, while another makes the pictures. It is loaded for the
 * first of them, and is no part of the checkpoint: no picture comes from it.
 */
final class TinyPreview implements AutoCloseable {
    private final Path folder;
    private final AutoencoderTinyConfig config;
    private final Device device;
    private @Nullable AutoencoderTiny network;

    private TinyPreview(Path folder, AutoencoderTinyConfig config, Device device) {
        this.folder = folder;
        this.config = config;
        this.device = device;
    }

    /**
     * Reads the config of the one that a checkpoint has; null if it has none.
     *
     * @param vae that makes the pictures
     * @throws IOException if it is malformed, or has other latents
     */
    static @Nullable TinyPreview of(Checkpoint checkpoint, AutoencoderKlConfig vae)
            throws IOException {
        Path folder = checkpoint.folder().resolve(VaeCodec.TINY);
        if (!Files.isDirectory(folder)) {
            return null;
        }
        Path file = folder.resolve("config.json");
        var config = AutoencoderTinyConfig.read(file, checkpoint.warnings());
        if (config.latentChannels() != vae.latentChannels()) {
            throw new CheckpointException(
                    file
                            + ": latents have "
                            + config.latentChannels()
                            + " channels, those of the checkpoint "
                            + vae.latentChannels()
                            + "; it is of another model");
        }
        VaeLoader.requireSize(file, config.downsampling(), vae.downsampling());
        return new TinyPreview(folder, config, checkpoint.options().device());
    }

    /**
     * Decodes latents.
     *
     * @param latents {@code [1,C,h,w]}
     * @return float32 {@code [1,3,H,W]}, about from −1 to 1
     * @throws UncheckedIOException if it can't be loaded
     */
    Tensor decode(Tensor latents) {
        try (var scope = TensorScope.open()) {
            return scope.keep(loaded().decode(latents.to(DType.FLOAT32)));
        }
    }

    private AutoencoderTiny loaded() {
        if (network == null) {
            try (var weights =
                    Safetensors.open(
                            WeightFiles.find(folder, WeightFiles.DIFFUSERS, null).path(),
                            LoadMode.READ)) {
                network =
                        Weights.load(
                                weights.weights(),
                                DType.FLOAT32,
                                device,
                                Warnings.collected(),
                                w -> new AutoencoderTiny(w, config));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return network;
    }

    @Override
    public void close() {
        if (network != null) {
            network.close();
            network = null;
        }
    }
}
