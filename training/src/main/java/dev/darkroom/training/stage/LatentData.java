package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.training.data.Augmentation;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.data.LatentCache;
import dev.darkroom.training.data.Order;
import dev.darkroom.training.data.PictureFolder;
import dev.darkroom.training.run.RunListener;

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
     * @param size of the pictures, in pixels
     * @param variants augmented latents of each picture
     * @param flip probability of a mirror image
     */
    record Config(Path folder, Path autoencoder, int size, int variants, double flip) {
        static Config of(ConfigReader json, Places places) {
            return of(json, places, places.folder(json, "vae"));
        }

        static Config of(ConfigReader json, Places places, Path autoencoder) {
            int variants = json.integer("variants", 1);
            TrainingConfig.require(variants >= 1, "variants", variants);
            return new Config(
                    places.data(json),
                    autoencoder,
                    json.integer("size", 256),
                    variants,
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
        AutoencoderKl autoencoder =
                Inputs.network(
                        config.autoencoder,
                        WeightFiles.DIFFUSERS,
                        DType.FLOAT32,
                        training.device(),
                        warnings,
                        (weights, dtype, device, told) ->
                                AutoencoderKl.load(weights, kl, dtype, device, told));
        try (autoencoder) {
            var latents =
                    LatentCache.openOrMake(
                            List.of(
                                    cache(out, "latents"),
                                    cache(config.autoencoder.resolveSibling(""), "latents")),
                            folder,
                            Augmentation.fit(config.size).then(Augmentation.flip(config.flip)),
                            autoencoder,
                            new LatentCache.Options(config.variants, training.seed(), BATCH),
                            watching(listener));
            return new LatentData(config, training, folder, kl, latents);
        }
    }

    /** Where what frozen networks made is kept. */
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

    AutoencoderKlConfig autoencoder() {
        return autoencoder;
    }

    Path autoencoderFolder() {
        return config.autoencoder;
    }

    /** Rows of the latents of pictures of the configured size. */
    int latentSize() {
        return config.size / autoencoder.downsampling();
    }

    /** What a result depends on. */
    Map<String, String> identity() throws IOException {
        return Map.of("data", folder.fingerprint(), "vae", Inputs.hash(config.autoencoder));
    }

    long samples(long steps) {
        return steps * training.accumulation() * training.batch();
    }

    /** Which latents a part of a step has. */
    int[] rows(long step, int part) {
        long first = samples(step) + (long) part * training.batch();
        var rows = new int[training.batch()];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = order.index(first + i);
        }
        return rows;
    }

    /** Which examples of the data set rows are of. */
    int[] examples(int... rows) {
        var examples = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            examples[i] = rows[i] / config.variants;
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
