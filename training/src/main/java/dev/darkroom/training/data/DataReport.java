package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Picture;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a folder of pictures to train on holds, after every file of it was read.
 *
 * @param folder that was read
 * @param examples that training can use, sorted by name
 * @param sizes how many pictures have each size, upright, from few pixels to many
 * @param problems what training would be refused for, sorted by file
 * @param leftOut files that nothing is made of
 */
public record DataReport(
        Path folder,
        List<Example> examples,
        SortedMap<Size, Integer> sizes,
        List<DataException> problems,
        List<Path> leftOut) {
    /** Pictures that are decoded between two calls of the listener. */
    private static final int BATCH = 64;

    /**
     * The size of a picture, ordered by how many pixels that are.
     *
     * @param width in pixels
     * @param height in pixels
     */
    public record Size(int width, int height) implements Comparable<Size> {
        private static final Comparator<Size> ORDER =
                Comparator.comparingLong((Size size) -> (long) size.width * size.height)
                        .thenComparingInt(Size::width);

        @Override
        public int compareTo(Size other) {
            return ORDER.compare(this, other);
        }

        /** Such as {@code 640×480}. */
        @Override
        public String toString() {
            return width + "×" + height;
        }
    }

    /** What became of an example: either has the picture a size, or there is a problem. */
    private record Outcome(Example example, @Nullable Size size, @Nullable DataException problem) {
        static Outcome of(Example example) {
            try {
                Picture picture = PictureFile.read(example.file());
                return new Outcome(example, new Size(picture.width(), picture.height()), null);
            } catch (DataException e) {
                return new Outcome(example, null, e);
            }
        }
    }

    /** Copies the lists. */
    public DataReport {
        examples = List.copyOf(examples);
        problems = List.copyOf(problems);
        leftOut = List.copyOf(leftOut);
    }

    /**
     * Reads a folder, pictures on all processors.
     *
     * @param listener is told how many pictures are read
     * @throws DataException if it is no folder of pictures at all
     * @throws dev.darkroom.models.pipeline.CancelledException if the listener asked for it
     */
    public static DataReport of(Path folder, CacheListener listener) throws IOException {
        var problems = new ArrayList<DataException>();
        PictureFolder pictures = PictureFolder.open(folder, problems::add);
        List<Example> all = pictures.examples();
        var readable = new ArrayList<Example>();
        var sizes = new TreeMap<Size, Integer>();
        for (int done = 0; done < all.size(); ) {
            if (listener.isCancelled()) {
                throw new CancelledException("the data was not read: cancelled");
            }
            List<Example> batch = all.subList(done, Math.min(done + BATCH, all.size()));
            for (Outcome each : batch.parallelStream().map(Outcome::of).toList()) {
                if (each.size != null) {
                    readable.add(each.example);
                    sizes.merge(each.size, 1, Integer::sum);
                } else if (each.problem != null) {
                    problems.add(each.problem);
                }
            }
            done += batch.size();
            listener.encoded(done, all.size());
        }
        problems.sort(Comparator.comparing(problem -> String.valueOf(problem.getMessage())));
        return new DataReport(folder, readable, sizes, problems, pictures.leftOut());
    }

    /**
     * Returns the size that most pictures have; of several, the one of fewest pixels.
     *
     * @throws java.util.NoSuchElementException if there is no picture
     */
    public Size commonestSize() {
        int most = Collections.max(sizes.values());
        return sizes.keySet().stream()
                .filter(size -> Objects.equals(sizes.get(size), most))
                .findFirst()
                .orElseThrow();
    }
}
