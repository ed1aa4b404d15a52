package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.IntStream;

import javax.imageio.ImageIO;

/**
 * Says what pictures show, by the real training pictures and nothing learned: the emoji is that of
 * the training picture whose object looks most like it, by {@link Features}.
 */
public final class Scorer {
    /** Side of the small copies by which pixels are compared. */
    private static final int THUMBNAIL = 32;

    private final List<Row> rows;
    private final float[][] features;
    private final byte[][] thumbnails;

    private Scorer(List<Row> rows, float[][] features, byte[][] thumbnails) {
        this.rows = rows;
        this.features = features;
        this.thumbnails = thumbnails;
    }

    /** Reads all training pictures of a data folder. */
    public static Scorer read(Path data, int threads) throws IOException, InterruptedException {
        return of(Row.read(data.resolve(Row.METADATA)), row -> picture(data, row), threads);
    }

    /**
     * A scorer by given training pictures.
     *
     * @param pictures finds a row's picture; called from several threads
     */
    static Scorer of(List<Row> rows, Function<Row, BufferedImage> pictures, int threads)
            throws IOException, InterruptedException {
        var features = new float[rows.size()][];
        var thumbnails = new byte[rows.size()][];
        try (var workers = Executors.newFixedThreadPool(threads)) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < features.length; i++) {
                int at = i;
                running.add(
                        workers.submit(
                                () -> {
                                    BufferedImage picture = pictures.apply(rows.get(at));
                                    features[at] = Features.of(Cutout.of(picture));
                                    thumbnails[at] = thumbnail(picture);
                                }));
            }
            for (Future<?> each : running) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
        return new Scorer(rows, features, thumbnails);
    }

    /** The picture of a row. */
    static BufferedImage picture(Path data, Row row) {
        Path file = data.resolve(String.valueOf(row.file()));
        ImageIO.setUseCache(false); // in memory it is quicker
        try {
            BufferedImage picture = ImageIO.read(file.toFile());
            if (picture == null) {
                throw new IOException(file + " is no picture");
            }
            return picture;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The training pictures. */
    List<Row> rows() {
        return rows;
    }

    /** Says what a square picture shows. */
    Verdict judge(BufferedImage picture) {
        var cutout = Cutout.of(picture);
        float[] sought = Features.of(cutout);
        double copied = copied(picture);
        if (IntStream.range(0, sought.length).allMatch(i -> sought[i] == 0)) {
            return new Verdict(null, cutout.background(), null, null, 4, copied);
        }
        int best = -1;
        float least = Float.MAX_VALUE;
        for (int i = 0; i < features.length; i++) {
            float distance = distance(sought, features[i], least);
            if (distance < least) {
                least = distance;
                best = i;
            }
        }
        return new Verdict(
                rows.get(best).emoji(),
                cutout.background(),
                cutout.object(),
                rows.get(best).file(),
                least,
                copied);
    }

    /** The squared distance, or anything larger than {@code limit} if it is larger. */
    private static float distance(float[] a, float[] b, float limit) {
        float sum = 0;
        for (int block = 0; block < a.length && sum < limit; block += 48) {
            for (int i = block; i < block + 48; i++) {
                float d = a[i] - b[i];
                sum += d * d;
            }
        }
        return sum;
    }

    private double copied(BufferedImage picture) {
        byte[] sought = thumbnail(picture);
        long least = Long.MAX_VALUE;
        for (byte[] each : thumbnails) {
            long sum = 0;
            for (int i = 0; i < each.length && sum < least; i++) {
                int d = (each[i] & 0xff) - (sought[i] & 0xff);
                sum += d * d;
            }
            least = Math.min(least, sum);
        }
        return Math.sqrt((double) least / sought.length);
    }

    /** The means of square cells, red, green and blue of each. */
    private static byte[] thumbnail(BufferedImage picture) {
        int side = picture.getWidth();
        int edge = side / THUMBNAIL;
        int[] rgb = picture.getRGB(0, 0, side, side, null, 0, side);
        var sums = new int[3 * THUMBNAIL * THUMBNAIL];
        for (int i = 0; i < rgb.length; i++) {
            int cell = 3 * (i / side / edge * THUMBNAIL + i % side / edge);
            sums[cell] += rgb[i] >> 16 & 0xff;
            sums[cell + 1] += rgb[i] >> 8 & 0xff;
            sums[cell + 2] += rgb[i] & 0xff;
        }
        var means = new byte[sums.length];
        for (int i = 0; i < sums.length; i++) {
            means[i] = (byte) (sums[i] / (edge * edge));
        }
        return means;
    }
}
