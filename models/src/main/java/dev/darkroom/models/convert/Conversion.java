package dev.darkroom.models.convert;

import dev.darkroom.common.WholeFile;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.WeightSource;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * A checkpoint that was written in the other layout: a single file in its authors' as a folder in
 * that of hubs, or such a folder as a single file. Both give the same pictures. Networks are not
 * loaded: their tensors are read and written one by one.
 *
 * @param target what was written
 * @param kind what it is, such as {@code Stable Diffusion XL}
 * @param pipeline the class that {@code model_index.json} names
 * @param tensors how many were written
 * @param bytes of all of them
 * @param warnings what may matter of what was read
 */
public record Conversion(
        Path target, String kind, String pipeline, int tensors, long bytes, List<String> warnings) {
    static final String WEIGHTS = ".safetensors";

    /** Keeps the warnings as they are now. */
    public Conversion {
        warnings = List.copyOf(warnings);
    }

    /**
     * How a checkpoint is converted.
     *
     * @param dtype that floating-point weights are cast to; null to keep theirs
     * @param variant which weights of a folder are taken; null for the plain ones
     * @param strict whether tensors and options that are not known are errors
     */
    public record Options(@Nullable DType dtype, @Nullable String variant, boolean strict) {
        /** Keeps the types of the weights, takes the plain ones, and only warns. */
        public static final Options KEEP = new Options(null, null, false);

        /** Refuses types that no weights are stored in. */
        public Options {
            if (dtype != null && (!dtype.isFloatingPoint() || dtype.bytes() < 2)) {
                throw new IllegalArgumentException(
                        "weights are cast to float32, bfloat16 or float16, not to " + dtype);
            }
        }

        /** Networks with shapes alone, which say what of a file they need. */
        LoadOptions loading() {
            return new LoadOptions(
                    DType.FLOAT32, null, Device.META, true, variant, strict, Tiling.OFF);
        }

        WeightSource cast(WeightSource weights) {
            return dtype == null ? weights : new Cast(weights, dtype);
        }
    }

    /** Converts a checkpoint of the families that Darkroom comes with. */
    public static Conversion of(Path from, Path to, Options options) throws IOException {
        return of(from, to, options, Families.BUILT_IN);
    }

    /**
     * Converts a checkpoint.
     *
     * @param from a single file, or a folder that holds {@code model_index.json}
     * @param to a folder for a file, a file named {@code .safetensors} for a folder; there must be
     *     nothing of that name yet. It appears when all of it is written
     * @param families that may read it
     * @throws CheckpointException if it is malformed, no family reads it, or it can't be had in the
     *     other layout
     * @throws IOException if it can't be read, or the target is there already or can't be written;
     *     nothing is left of it then
     */
    public static Conversion of(Path from, Path to, Options options, Families families)
            throws IOException {
        Objects.requireNonNull(to, "to");
        Objects.requireNonNull(options, "options");
        Objects.requireNonNull(families, "families");
        boolean isFolder = Files.isDirectory(from);
        if (!isFolder && !Files.exists(from)) {
            throw new NoSuchFileException(
                    from.toString(), null, "there is no such file or folder to convert");
        }
        boolean toFile =
                String.valueOf(to.getFileName()).toLowerCase(Locale.ROOT).endsWith(WEIGHTS);
        if (isFolder != toFile) {
            throw new CheckpointException(
                    isFolder
                            ? from
                                    + " is a folder, which becomes a single file; name one that"
                                    + " ends in "
                                    + WEIGHTS
                                    + ", not "
                                    + to
                            : from
                                    + " is a single file, which becomes a folder; name one for it,"
                                    + " not "
                                    + to);
        }
        WholeFile.requireNew(to);
        return isFolder
                ? new ToFile(from, to, options, families).run()
                : new ToFolder(from, to, options, families).run();
    }

    static int count(Collection<WeightSource> weights) {
        return weights.stream().mapToInt(each -> each.keys().size()).sum();
    }

    static long bytes(Collection<WeightSource> weights) {
        return weights.stream()
                .mapToLong(each -> each.keys().stream().mapToLong(key -> bytes(each, key)).sum())
                .sum();
    }

    static long bytes(WeightSource weights, String key) {
        return weights.shape(key).elements() * weights.dtype(key).map(DType::bytes).orElse(0);
    }
}
