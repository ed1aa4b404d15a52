package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.objective.AutoencoderLoss;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Seeds;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.run.Trainer.End;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Trains an autoencoder from random weights; it becomes {@code vae} in the folder of the run.
 *
 * @param pictures how they are cut
 * @param autoencoder its config
 * @param withShift whether the latents' mean is measured too, which diffusers' PixArt and DiT
 *     pipelines don't read
 */
record AutoencoderStage(
        TrainingConfig config,
        Path data,
        Pictures pictures,
        ObjectNode autoencoder,
        AutoencoderLoss loss,
        boolean withShift)
        implements Stage {
    /**
     * Crops for most of the run, which is faster, and whole pictures for the rest.
     *
     * @param size of whole pictures, in pixels
     * @param crop size of crops; null for whole pictures from the start
     * @param wholeFrom the share of the steps after which pictures are whole, 0 … 1
     * @param wholeBatch whole pictures in a step
     * @param flip probability of a mirror image
     */
    record Pictures(
            int size, @Nullable Integer crop, double wholeFrom, int wholeBatch, double flip) {
        static Pictures of(ConfigReader json, int batch) {
            Integer crop = json.integerOrNull("crop");
            return new Pictures(
                    json.integer("size", 256),
                    crop,
                    crop == null ? 0 : json.number("wholeFrom", 0.8),
                    json.integer("wholeBatch", batch),
                    json.number("flip", 0));
        }
    }

    static AutoencoderStage read(ConfigReader json, StageContext context) {
        TrainingConfig config = TrainingConfig.of(json);
        Pictures pictures = Pictures.of(json, config.batch());
        ObjectNode autoencoder = DiffusionStage.required(json, "vae");
        int multiple = ConfigReader.of(autoencoder, AutoencoderKlConfig::of).downsampling();
        requireMultiple("size", pictures.size(), multiple);
        if (pictures.crop() != null) {
            requireMultiple("crop", pictures.crop(), multiple);
        }
        return new AutoencoderStage(
                config,
                context.data(json),
                pictures,
                autoencoder,
                json.section("loss", AutoencoderStage::loss),
                json.flag("shift", false));
    }

    private static void requireMultiple(String option, int size, int multiple) {
        if (size < multiple || size % multiple != 0) {
            throw new IllegalArgumentException(
                    option
                            + " must be a multiple of the autoencoder's downsampling, "
                            + multiple
                            + ", not "
                            + size);
        }
    }

    private static AutoencoderLoss loss(ConfigReader json) {
        var defaults = AutoencoderLoss.Options.DEFAULTS;
        return new AutoencoderLoss(
                new AutoencoderLoss.Options(
                        json.number("l1", defaults.l1()),
                        json.number("l2", defaults.l2()),
                        json.number("gradient", defaults.gradient()),
                        json.number("kl", defaults.kl())));
    }

    @Override
    public End run(Path out, RunListener listener) throws IOException {
        var folder = PictureFolder.open(data);
        var kl = ConfigReader.of(autoencoder, AutoencoderKlConfig::of);
        try (var network =
                        Weights.random(
                                Seeds.of(config.seed(), 1),
                                config.dtype(),
                                config.device(),
                                w -> new AutoencoderKl(w, kl));
                var task = new AutoencoderTask(this, folder, network)) {
            return new Trainer(
                            out,
                            config.identity(Map.of("data", folder.fingerprint())),
                            config.runOptions(),
                            listener)
                    .run(task);
        }
    }

    @Override
    public DryRun dryRun(CacheListener listener) throws IOException {
        return DryRun.of(data, listener);
    }
}
