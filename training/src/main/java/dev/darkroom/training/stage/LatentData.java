package dev.darkroom.training.stage;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.config.Option;
import dev.darkroom.models.family.DataSizes;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.training.data.Augmentation;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.LatentCache;
import dev.darkroom.training.data.Order;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.run.RunListener;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The latents of a data set, encoded once, in the order of a run. */
final class LatentData implements AutoCloseable {
    /**
     * Which data.
     *
     * @param folder of pictures
     * @param autoencoder its folder
     * @param variant whose weights of the autoencoder are loaded; null for the plain ones
     * @param size of the pictures, in pixels
     * @param augmentations how many latents each picture has
     * @param flip probability of a mirror image
     */
    record Config(
            Path folder,
            Path autoencoder,
            @Nullable String variant,
            int size,
            int augmentations,
            double flip) {
        static Config of(ConfigReader json, StageContext context) {
            return of(json, context, context.folder(json, "vae"), null);
        }

        static Config of(ConfigReader json, StageContext context, BaseCheckpoint base) {
            return of(json, context, base.part(BaseCheckpoint.VAE), base.variant());
        }

        private static Config of(
                ConfigReader json,
                StageContext context,
                Path autoencoder,
                @Nullable String variant) {
            int augmentations = json.integer("variants", 1);
            Option.require(augmentations >= 1, "variants", augmentations);
            return new Config(
                    context.data(json),
                    autoencoder,
                    variant,
                    json.integer("size", 256),
                    augmentations,
                    json.number("flip", 0));
        }
    }

    /**
     * Pictures that are encoded together. Few: a tensor above 32 MiB, which 32 channels of 16
     * pictures of 128×128 are, is memory that glibc gives back and the system clears each time.
     */
    private static final int BATCH = 8;

    private final Config config;
    private final TrainingConfig training;
    private final PictureFolder folder;
    private final AutoencoderKlConfig autoencoder;
    private final LatentCache latents;
    private final Order order;

    private LatentData(
            Config config,
            TrainingConfig training,
            PictureFolder folder,
            AutoencoderKlConfig autoencoder,
            LatentCache latents) {
        this.config = config;
        this.training = training;
        this.folder = folder;
        this.autoencoder = autoencoder;
        this.latents = latents;
        order = new Order(latents.rows(), training.seed());
    }

    /**
     * Encodes the pictures, unless an earlier run did: this one, or the one whose result the
     * autoencoder lies in.
     *
     * @param out the folder of the run, where the latents are kept
     */
    static LatentData open(
            Config config,
            PictureFolder folder,
            TrainingConfig training,
            Path out,
            RunListener listener)
            throws IOException {
        Warnings warnings = Warnings.passedTo(listener::warned);
        var kl = AutoencoderKlConfig.read(config.autoencoder.resolve("config.json"), warnings);
        Path weights =
                WeightFiles.find(config.autoencoder, WeightFiles.DIFFUSERS, config.variant).path();
        AutoencoderKl autoencoder;
        try (var file = Safetensors.open(weights, LoadMode.READ)) {
            autoencoder =
                    AutoencoderKl.load(
                            file.weights(), kl, DType.FLOAT32, training.device(), warnings);
        }
        try (autoencoder) {
            var latents =
                    LatentCache.openOrMake(
                            List.of(
                                    cache(out, "latents"),
                                    cache(config.autoencoder.resolveSibling(""), "latents")),
                            folder,
                            Augmentation.fit(config.size).then(Augmentation.flip(config.flip)),
                            autoencoder,
                            new LatentCache.Options(config.augmentations, training.seed(), BATCH),
                            watching(listener));
            return new LatentData(config, training, folder, kl, latents);
        }
    }

    /** Returns where what frozen networks made is kept. */
    static Path cache(Path run, String name) {
        return run.resolve("training").resolve(name + ".safetensors");
    }

    /** Lets a run's listener watch over a cache. */
    static CacheListener watching(RunListener listener) {
        return new CacheListener() {
            @Override
            public void encoded(long done, long total) {
                listener.prepared(done, total);
            }

            @Override
            public boolean isCancelled() {
                return listener.isStopping();
            }
        };
    }

    /** Returns what a network's config follows from. */
    DataSizes sizes(Conditioning conditioning) {
        return new DataSizes(
                autoencoder.latentChannels(),
                config.size / autoencoder.downsampling(),
                conditioning.size());
    }

    /** Copies the autoencoder into a result. */
    void copyAutoencoder(CheckpointWriter writer) throws IOException {
        writer.copy(
                BaseCheckpoint.VAE,
                Library.DIFFUSERS,
                BaseCheckpoint.VAE_CLASS,
                config.autoencoder,
                config.variant);
    }

    /** Returns what a result depends on. */
    Map<String, String> identity() throws IOException {
        return Map.of("data", folder.fingerprint(), "vae", FolderHash.of(config.autoencoder));
    }

    long samples(long steps) {
        return steps * training.accumulation() * training.batch();
    }

    /** Returns which latents a part of a step has. */
    int[] rows(long step, int part) {
        long first = samples(step) + (long) part * training.batch();
        var rows = new int[training.batch()];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = order.index(first + i);
        }
        return rows;
    }

    /** Returns which examples of the data set rows are of. */
    int[] examples(int... rows) {
        var examples = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            examples[i] = rows[i] / config.augmentations;
        }
        return examples;
    }

    /** Draws latents from the posteriors of rows, scaled, float32 {@code [N,C,H,W]}. */
    Tensor latents(int[] rows, Generator noise) {
        return latents.sample(rows, noise).to(training.device());
    }

    @Override
    public void close() {
        latents.close();
    }
}
