package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.Row;

import java.awt.image.BufferedImage;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

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
    private final double[] edges;

    private Scorer(List<Row> rows, float[][] features, byte[][] thumbnails, double[] edges) {
        this.rows = rows;
        this.features = features;
        this.thumbnails = thumbnails;
        this.edges = edges;
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
        var edges = new double[rows.size()];
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
                                    edges[at] = edges(picture);
                                }));
            }
            for (Future<?> each : running) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
        return new Scorer(rows, features, thumbnails, edges);
    }

    /**
     * Writes what tells emoji apart, in some hundred kilobytes: of each the average features of its
     * pictures in their own colours, in steps of a 127th of the largest.
     */
    void writeAverages(OutputStream out) throws IOException {
        Map<String, List<float[]>> emoji = new LinkedHashMap<>();
        for (int i = 0; i < features.length; i++) {
            if (!rows.get(i).recoloured()) {
                emoji.computeIfAbsent(rows.get(i).emoji(), any -> new ArrayList<>())
                        .add(features[i]);
            }
        }
        try (var data = new DataOutputStream(new GZIPOutputStream(out))) {
            data.writeInt(emoji.size());
            for (var each : emoji.entrySet()) {
                float[] average = average(each.getValue());
                float largest = 0;
                for (float value : average) {
                    largest = Math.max(largest, Math.abs(value));
                }
                data.writeUTF(each.getKey());
                data.writeFloat(largest);
                for (float value : average) {
                    data.writeByte(Math.round(value / largest * 127));
                }
            }
        }
    }

    private static float[] average(List<float[]> vectors) {
        var average = new float[Features.LENGTH];
        for (float[] vector : vectors) {
            for (int i = 0; i < average.length; i++) {
                average[i] += vector[i] / vectors.size();
            }
        }
        return average;
    }

    /** A scorer by what {@link #writeAverages} wrote, which does not know pictures one by one. */
    static Scorer readAverages(InputStream in) throws IOException {
        List<Row> rows = new ArrayList<>();
        try (var data = new DataInputStream(new GZIPInputStream(in))) {
            var features = new float[data.readInt()][Features.LENGTH];
            for (float[] vector : features) {
                String emoji = data.readUTF();
                rows.add(new Row(null, "", emoji, "", Colour.WHITE, null, false));
                float largest = data.readFloat();
                for (int i = 0; i < vector.length; i++) {
                    vector[i] = data.readByte() * largest / 127;
                }
            }
            return new Scorer(rows, features, new byte[0][], new double[0]);
        }
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
    public Verdict judge(BufferedImage picture) {
        var cutout = Cutout.of(picture);
        float[] sought = Features.of(cutout);
        double copied = copied(picture);
        if (IntStream.range(0, sought.length).allMatch(i -> sought[i] == 0)) {
            return new Verdict(null, cutout.background(), null, null, 4, copied, 0);
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
                copied,
                edges.length == 0 ? Double.NaN : edges(picture) / edges[best]);
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

    /**
     * The root mean square gradient of luma (Rec. 601): the same edge, blurred, counts for less.
     */
    private static double edges(BufferedImage picture) {
        int side = picture.getWidth();
        int[] rgb = picture.getRGB(0, 0, side, side, null, 0, side);
        double sum = 0;
        for (int y = 0; y < side - 1; y++) {
            for (int x = 0; x < side - 1; x++) {
                double here = luma(rgb[y * side + x]);
                double across = luma(rgb[y * side + x + 1]) - here;
                double down = luma(rgb[(y + 1) * side + x]) - here;
                sum += across * across + down * down;
            }
        }
        return Math.sqrt(sum / ((side - 1) * (side - 1)));
    }

    private static double luma(int rgb) {
        return 0.299 * (rgb >> 16 & 0xff) + 0.587 * (rgb >> 8 & 0xff) + 0.114 * (rgb & 0xff);
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
