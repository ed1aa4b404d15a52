package dev.darkroom.training.data;

import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.DiagonalGaussian;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.run.Hashes;
import dev.darkroom.training.run.Seeds;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What an autoencoder makes of a folder of pictures, encoded once: the distributions of their
 * latents, so that each draw is a new one. Row i · variants + v of the file's {@code moments}
 * {@code [rows,2C,H,W]} is variant v of picture i: means and then log variances, in the
 * autoencoder's type.
 */
public final class LatentCache implements AutoCloseable {
    private static final String MOMENTS = "moments";

    /** Tells these seeds from the ones of other uses. */
    private static final long USE = 0x6c6174656e74L;

    private static final int READERS = 2;

    /**
     * What is encoded.
     *
     * @param variants of each picture, augmented differently
     * @param seed of the augmentation
     * @param batchSize pictures that are encoded together
     */
    public record Options(int variants, long seed, int batchSize) {
        public Options {
            if (variants < 1 || batchSize < 1) {
                throw new IllegalArgumentException(
                        "variants and batchSize are from 1, not " + variants + " and " + batchSize);
            }
        }
    }

    private final CacheFile file;
    private final AutoencoderKl autoencoder;
    private final int variants;

    private LatentCache(CacheFile file, AutoencoderKl autoencoder, int variants) {
        this.file = file;
        this.autoencoder = autoencoder;
        this.variants = variants;
    }

    /**
     * Opens a cache, or makes it where none of the files was made from the same: pictures and
     * captions, autoencoder, augmentation, seed and number of variants.
     *
     * @param files where it may lie; it is made as the first
     * @param augmentation must bring all pictures to one size
     * @param autoencoder used again for scaling; its weights are not needed then
     * @throws DataException if a picture can't be read, or a file is no such cache
     * @throws dev.darkroom.models.pipeline.CancelledException if the listener asked for it
     */
    public static LatentCache openOrMake(
            List<Path> files,
            PictureFolder pictures,
            Augmentation augmentation,
            AutoencoderKl autoencoder,
            Options options,
            CacheListener listener)
            throws IOException {
        List<Example> examples = pictures.examples();
        CacheFile cache =
                CacheFile.openOrMake(
                        files,
                        "latents",
                        () ->
                                Map.of(
                                        MOMENTS,
                                        encode(
                                                examples,
                                                augmentation,
                                                autoencoder,
                                                options,
                                                listener)),
                        pictures.fingerprint(),
                        augmentation.description(),
                        autoencoder.config().toString(),
                        Hashes.of(autoencoder.state()),
                        Long.toString(options.seed),
                        Integer.toString(options.variants));
        return new LatentCache(cache, autoencoder, options.variants);
    }

    /** Returns the moments of all pictures, {@code [rows,2C,H,W]}. */
    private static Tensor encode(
            List<Example> examples,
            Augmentation augmentation,
            AutoencoderKl autoencoder,
            Options options,
            CacheListener listener)
            throws IOException {
        int rows = Math.multiplyExact(examples.size(), options.variants);
        PictureLoader.Plan plan =
                row -> {
                    int index = (int) (row / options.variants % examples.size());
                    long variant = row % options.variants;
                    return new PictureLoader.Sample(
                            index, Seeds.of(options.seed, USE, index, variant));
                };
        var reading = new PictureLoader.Options(options.batchSize, 0, READERS, READERS, 0);
        var all = new Rows(rows);
        try (var loader = new PictureLoader(examples, augmentation, reading, plan)) {
            loader.start(0);
            for (int done = 0; done < rows; ) {
                CacheFile.requireGoingOn(listener);
                int count = Math.min(options.batchSize, rows - done);
                try (var scope = TensorScope.open()) {
                    Tensor images = loader.next().images().narrow(0, 0, count); // [N,3,H,W]
                    Tensor moments = moments(autoencoder, images);
                    for (int i = 0; i < count; i++) {
                        if (moments.select(0, i).isFinite().all().item() == 0) {
                            int index = (done + i) / options.variants % examples.size();
                            throw new DataException(
                                    examples.get(index).file(),
                                    "its latents are not finite in "
                                            + autoencoder.dtype()
                                            + "; encode in float32",
                                    null);
                        }
                    }
                    all.add(moments, scope);
                }
                done += count;
                int encoded = done;
                ForeignCode.run(() -> listener.encoded(encoded, rows));
            }
        }
        return all.all();
    }

    private static Tensor moments(AutoencoderKl autoencoder, Tensor images) {
        DiagonalGaussian posterior =
                autoencoder.encode(images.to(autoencoder.dtype()).to(autoencoder.device()));
        return Ops.cat(1, posterior.mean(), posterior.logVariance()); // [N,2C,h,w]
    }

    /** Returns how many variants there are of each picture. */
    public int variants() {
        return variants;
    }

    /** Returns how many rows there are: variants of pictures. */
    public int rows() {
        return (int) file.tensor(MOMENTS).size(0);
    }

    /**
     * Draws latents from the encoder's distributions.
     *
     * @param rows numbers from 0
     * @return float32 {@code [N,C,H,W]} on the CPU, {@linkplain AutoencoderKl#scaled scaled}
     * @throws IndexOutOfBoundsException if there is no such row
     */
    public Tensor sample(int[] rows, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(autoencoder.scaled(posterior(rows).sample(generator)));
        }
    }

    /**
     * Returns the most likely latents.
     *
     * @param rows numbers from 0
     * @return float32 {@code [N,C,H,W]} on the CPU, {@linkplain AutoencoderKl#scaled scaled}
     * @throws IndexOutOfBoundsException if there is no such row
     */
    public Tensor mean(int[] rows) {
        try (var scope = TensorScope.open()) {
            return scope.keep(autoencoder.scaled(posterior(rows).mode()));
        }
    }

    private DiagonalGaussian posterior(int[] rows) {
        return DiagonalGaussian.of(file.rows(MOMENTS, rows).to(DType.FLOAT32));
    }

    /** Lets go of the file. Closing twice is allowed. */
    @Override
    public void close() {
        file.close();
    }
}
