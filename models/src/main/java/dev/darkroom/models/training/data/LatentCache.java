package dev.darkroom.models.training.data;

import dev.darkroom.models.training.data.PictureFolder.Example;
import dev.darkroom.models.training.run.Hashes;
import dev.darkroom.models.training.run.Seeds;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.DiagonalGaussian;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The latents of a whole folder of pictures, encoded once and kept in a file: mean and logarithm of
 * the variance of each posterior, already scaled as diffusion wants them.
 */
public final class LatentCache implements AutoCloseable {
    private static final String MEAN = "mean";
    private static final String DEVIATION = "deviation";
    private static final String KEY = "key";
    private static final int BATCH = 16;

    private final Tensor mean;
    private final Tensor deviation;

    private LatentCache(Tensor mean, Tensor deviation) {
        this.mean = mean;
        this.deviation = deviation;
    }

    /** Is told how far the encoding is. */
    @FunctionalInterface
    public interface Progress {
        /** So many of all pictures are encoded. */
        void encoded(long done, long of);
    }

    /**
     * Opens the latents of a folder, or makes them if the file does not hold them: another
     * folder's, autoencoder's, augmentation's or seed's are replaced.
     *
     * @param file where they are kept
     * @param augmentation of each picture
     * @param description of the augmentation, which can't be compared itself
     * @param variants differently augmented latents of each picture
     * @param seed of the augmentation
     * @throws IOException if a picture can't be decoded, or the file can't be read or written
     */
    public static LatentCache openOrMake(
            Path file,
            PictureFolder folder,
            AutoencoderKl autoencoder,
            Augmentation augmentation,
            String description,
            int variants,
            long seed,
            Progress progress)
            throws IOException {
        String key = key(folder, autoencoder, variants, seed, description);
        if (!isOf(file, key)) {
            make(file, key, folder, autoencoder, augmentation, variants, seed, progress);
        }
        try (var scope = TensorScope.open();
                var stored = Safetensors.open(file, LoadMode.MAPPED)) {
            return new LatentCache(
                    TensorScope.detach(stored.tensor(MEAN)),
                    TensorScope.detach(stored.tensor(DEVIATION)));
        }
    }

    private static String key(
            PictureFolder folder,
            AutoencoderKl autoencoder,
            int variants,
            long seed,
            String description)
            throws IOException {
        var digest = Hashes.sha256();
        Hashes.update(
                digest,
                folder.fingerprint(),
                String.valueOf(autoencoder.config()),
                String.valueOf(variants),
                String.valueOf(seed),
                description);
        try (var scope = TensorScope.open()) {
            autoencoder
                    .state()
                    .forEach(
                            (name, weight) -> {
                                Hashes.update(digest, name);
                                digest.update(
                                        weight.detach()
                                                .to(Device.CPU)
                                                .contiguous()
                                                .flatten(0, -1)
                                                .viewAs(DType.UINT8)
                                                .toByteArray());
                            });
        }
        return Hashes.hex(digest);
    }

    private static boolean isOf(Path file, String key) throws IOException {
        if (!Files.exists(file)) {
            return false;
        }
        try (var stored = Safetensors.open(file, LoadMode.MAPPED)) {
            return key.equals(stored.metadata().get(KEY));
        }
    }

    private static void make(
            Path file,
            String key,
            PictureFolder folder,
            AutoencoderKl autoencoder,
            Augmentation augmentation,
            int variants,
            long seed,
            Progress progress)
            throws IOException {
        List<Example> examples = folder.examples();
        int rows = Math.multiplyExact(examples.size(), variants);
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            List<Tensor> means = new ArrayList<>();
            List<Tensor> deviations = new ArrayList<>();
            for (int from = 0; from < rows; from += BATCH) {
                int count = Math.min(BATCH, rows - from);
                List<BufferedImage> pictures = new ArrayList<>();
                for (int row = from; row < from + count; row++) {
                    var random = new SplittableRandom(Seeds.of(seed, row, 1));
                    pictures.add(
                            PictureLoader.decode(
                                    examples.get(row / variants), augmentation, random));
                }
                encode(autoencoder, pictures, means, deviations);
                progress.encoded(from + count, rows);
            }
            SafetensorsWriter.write(
                    file,
                    Map.of(MEAN, Ops.cat(0, means), DEVIATION, Ops.cat(0, deviations)),
                    Map.of(KEY, key));
        }
    }

    private static void encode(
            AutoencoderKl autoencoder,
            List<BufferedImage> pictures,
            List<Tensor> means,
            List<Tensor> deviations) {
        try (var scope = TensorScope.open()) {
            Tensor images =
                    PictureLoader.batch(pictures, new int[pictures.size()])
                            .images()
                            .to(autoencoder.device())
                            .to(autoencoder.dtype());
            DiagonalGaussian posterior = autoencoder.encode(images);
            Tensor mean = autoencoder.scaled(posterior.mean());
            Tensor deviation =
                    posterior
                            .logVariance()
                            .dividedBy(2)
                            .exp()
                            .times(autoencoder.config().scalingFactor());
            means.add(scope.keep(mean.to(DType.FLOAT32).to(Device.CPU)));
            deviations.add(scope.keep(deviation.to(DType.FLOAT32).to(Device.CPU)));
        }
    }

    /** The number of latents: pictures times variants. */
    public long size() {
        return mean.size(0);
    }

    /**
     * Draws latents.
     *
     * @param rows variant v of picture i is row i · variants + v
     * @param noise on the CPU
     * @return float32 {@code [N,C,h,w]} on the CPU, scaled, in the caller's scope
     */
    public Tensor sample(int[] rows, Generator noise) {
        try (var scope = TensorScope.open()) {
            Tensor chosen = Tensor.copyOf(rows, rows.length).to(DType.INT64);
            Tensor centre = mean.indexSelect(0, chosen);
            Tensor drawn =
                    Tensor.randn(centre.shape(), noise, DType.FLOAT32, Device.CPU)
                            .times(deviation.indexSelect(0, chosen));
            return scope.keep(centre.plus(drawn));
        }
    }

    @Override
    public void close() {
        mean.close();
        deviation.close();
    }
}
