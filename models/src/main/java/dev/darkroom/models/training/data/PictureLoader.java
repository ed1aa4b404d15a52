package dev.darkroom.models.training.data;

import dev.darkroom.models.training.data.PictureFolder.Example;
import dev.darkroom.models.training.run.Seeds;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import javax.imageio.ImageIO;

/**
 * Decodes the batches of a run ahead of its steps, on a thread of its own. A sample is the same
 * whenever it is decoded: its place in the {@link Order} and its augmentation come from the seed
 * and its number.
 */
public final class PictureLoader implements AutoCloseable {
    private static final int AHEAD = 4;

    private final List<Example> examples;
    private final Augmentation augmentation;
    private final int batch;
    private final long seed;
    private final Order order;
    private final ExecutorService decoder =
            Executors.newSingleThreadExecutor(
                    task -> Thread.ofPlatform().daemon().name("darkroom-pictures").unstarted(task));
    private final Queue<Future<PictureBatch>> ready = new ArrayDeque<>();
    private long next;

    /**
     * A loader that begins with the first sample.
     *
     * @param batch pictures in a batch
     * @param seed of the order and the augmentation
     */
    public PictureLoader(PictureFolder folder, Augmentation augmentation, int batch, long seed) {
        if (batch < 1) {
            throw new IllegalArgumentException("a batch has one picture or more, not " + batch);
        }
        examples = folder.examples();
        this.augmentation = augmentation;
        this.batch = batch;
        this.seed = seed;
        order = new Order(seed, examples.size());
    }

    /**
     * Goes on from a sample.
     *
     * @param sample its number, from 0 through all epochs
     */
    public void start(long sample) {
        ready.forEach(batch -> batch.cancel(false));
        ready.clear();
        next = sample;
    }

    /**
     * The next batch.
     *
     * @throws IOException if a picture can't be decoded, or two of the batch differ in size
     */
    public PictureBatch next() throws IOException {
        while (ready.size() < AHEAD) {
            long first = next;
            ready.add(decoder.submit(() -> decode(first)));
            next += batch;
        }
        try {
            return ready.remove().get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for pictures", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException cause) {
                throw new IOException(cause.getMessage(), cause);
            }
            throw new IllegalStateException("a picture could not be decoded", e);
        }
    }

    private PictureBatch decode(long first) throws IOException {
        var chosen = new int[batch];
        List<BufferedImage> pictures = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            chosen[i] = order.at(first + i);
            Example example = examples.get(chosen[i]);
            BufferedImage picture =
                    decode(
                            example,
                            augmentation,
                            new SplittableRandom(Seeds.of(seed, first + i, 0)));
            requireSameSize(picture, example, pictures, chosen);
            pictures.add(picture);
        }
        return batch(pictures, chosen);
    }

    private void requireSameSize(
            BufferedImage picture, Example example, List<BufferedImage> before, int[] chosen)
            throws IOException {
        if (before.isEmpty()) {
            return;
        }
        BufferedImage first = before.getFirst();
        if (first.getWidth() != picture.getWidth() || first.getHeight() != picture.getHeight()) {
            throw new IOException(
                    "pictures of a batch must have one size, but %s has %d×%d and %s %d×%d"
                            .formatted(
                                    examples.get(chosen[0]).file(),
                                    first.getWidth(),
                                    first.getHeight(),
                                    example.file(),
                                    picture.getWidth(),
                                    picture.getHeight()));
        }
    }

    /** Decodes and augments a picture; what is transparent lies on white. */
    static BufferedImage decode(Example example, Augmentation augmentation, SplittableRandom random)
            throws IOException {
        BufferedImage decoded;
        try {
            decoded = ImageIO.read(example.file().toFile());
        } catch (IOException | RuntimeException e) {
            throw new IOException(example.file() + " can't be decoded: " + e.getMessage(), e);
        }
        if (decoded == null) {
            throw new IOException(example.file() + " is no picture that can be decoded");
        }
        var rgb =
                new BufferedImage(
                        decoded.getWidth(), decoded.getHeight(), BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = rgb.createGraphics();
        graphics.drawImage(decoded, 0, 0, Color.WHITE, null);
        graphics.dispose();
        try {
            return augmentation.apply(rgb, random);
        } catch (IllegalArgumentException e) {
            throw new IOException(example.file() + ": " + e.getMessage(), e);
        }
    }

    /** Puts pictures of one size together. */
    static PictureBatch batch(List<BufferedImage> pictures, int[] examples) {
        int width = pictures.getFirst().getWidth();
        int height = pictures.getFirst().getHeight();
        var rgb = new byte[pictures.size() * height * width * 3];
        int at = 0;
        for (BufferedImage picture : pictures) {
            for (int pixel : picture.getRGB(0, 0, width, height, null, 0, width)) {
                rgb[at++] = (byte) (pixel >> 16);
                rgb[at++] = (byte) (pixel >> 8);
                rgb[at++] = (byte) pixel;
            }
        }
        return new PictureBatch(rgb, height, width, examples);
    }

    /** Ends the thread. */
    @Override
    public void close() {
        decoder.shutdownNow();
    }
}
