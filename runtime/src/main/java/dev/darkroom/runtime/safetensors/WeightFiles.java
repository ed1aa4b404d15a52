package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The weights of one part of a model, such as its transformer, as hubs lay them out.
 *
 * @param path a safetensors file or the index of several; what {@link Safetensors#open} takes
 * @param isVariant whether it is the variant that was asked for; false also where none was asked
 *     for
 */
public record WeightFiles(Path path, boolean isVariant) {
    private static final Pattern SHARD = Pattern.compile("-\\d{5}-of-\\d{5}\\..*safetensors$");

    public WeightFiles {
        Objects.requireNonNull(path, "path");
    }

    /** How diffusers names the weights of its models. */
    public static final String DIFFUSERS = "diffusion_pytorch_model";

    /** How transformers names the weights of its models. */
    public static final String TRANSFORMERS = "model";

    /**
     * Finds {@code STEM[.VARIANT].safetensors} or its index in a folder; the index's name in
     * today's form, {@code STEM.safetensors.index.VARIANT.json}, or the older one, {@code
     * STEM.safetensors.VARIANT.index.json}. A whole file is preferred to an index. If the variant
     * is not there, the plain weights are found: ask {@link #isVariant}.
     *
     * @param stem {@link #DIFFUSERS}, {@link #TRANSFORMERS} or another name
     * @param variant such as {@code fp16}; null for none
     * @throws SafetensorsException if there are no safetensors; it says so if there are other
     *     variants, shards without an index, or pickles, or if a download is unfinished
     * @throws IllegalArgumentException if stem or variant can't be part of a file's name
     */
    public static WeightFiles find(Path folder, String stem, @Nullable String variant)
            throws IOException {
        requireBareName(stem);
        if (variant != null) {
            requireBareName(variant);
            var names =
                    List.of(
                            stem + "." + variant + ".safetensors",
                            stem + ".safetensors.index." + variant + ".json",
                            stem + ".safetensors." + variant + ".index.json");
            var found = first(folder, names);
            if (found != null) {
                return new WeightFiles(found, true);
            }
        }
        var found = first(folder, List.of(stem + ".safetensors", stem + ".safetensors.index.json"));
        if (found != null) {
            return new WeightFiles(found, false);
        }
        throw missing(folder, stem);
    }

    /**
     * Lists the variants of weights that are in a folder, such as {@code fp16}, by the names of
     * whole files and indexes; none if there is no such folder.
     *
     * @throws IOException if the folder can't be read
     */
    public static SortedSet<String> variants(Path folder, String stem) throws IOException {
        requireBareName(stem);
        String quoted = Pattern.quote(stem);
        var forms =
                List.of(
                        Pattern.compile(quoted + "\\.(.+)\\.safetensors"),
                        Pattern.compile(quoted + "\\.safetensors\\.index\\.(.+)\\.json"),
                        Pattern.compile(quoted + "\\.safetensors\\.(.+)\\.index\\.json"));
        var variants = new TreeSet<String>();
        for (String name : names(folder)) {
            for (Pattern form : forms) {
                var matcher = form.matcher(name);
                if (matcher.matches() && !SHARD.matcher(name).find()) {
                    variants.add(matcher.group(1));
                }
            }
        }
        return variants;
    }

    private static List<String> names(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /**
     * Returns the first that is there; a link of that name that leads nowhere must not be passed
     * over.
     */
    private static @Nullable Path first(Path folder, List<String> names)
            throws SafetensorsException {
        for (String name : names) {
            Path file = folder.resolve(name);
            if (Files.isSymbolicLink(file)) {
                ForeignFormats.requireFinished(file);
            }
            if (Files.exists(file)) {
                return file;
            }
        }
        return null;
    }

    private static SafetensorsException missing(Path folder, String stem) throws IOException {
        ForeignFormats.requireFinished(folder.resolve(stem + ".safetensors"));
        if (!Files.isDirectory(folder)) {
            return new SafetensorsException(
                    Kind.MISSING_FILE, folder, null, "there is no such folder");
        }
        var variants = variants(folder, stem);
        if (!variants.isEmpty()) {
            return new SafetensorsException(
                    Kind.OTHER_VARIANT,
                    folder,
                    null,
                    "the folder has no plain weights, only the variant "
                            + String.join(" and the variant ", variants)
                            + "; give --variant "
                            + variants.first());
        }
        var names = names(folder);
        for (String name : names) {
            if (ForeignFormats.isPickleName(name)) {
                return ForeignFormats.pickle(folder.resolve(name));
            }
        }
        boolean isWithoutIndex =
                names.stream()
                        .filter(name -> name.startsWith(stem + "-") || name.startsWith(stem + "."))
                        .anyMatch(name -> SHARD.matcher(name).find());
        return new SafetensorsException(
                Kind.MISSING_FILE,
                folder,
                null,
                isWithoutIndex
                        ? "the folder has shards, but not "
                                + stem
                                + ".safetensors.index.json, which says what is in them"
                        : "the folder has neither "
                                + stem
                                + ".safetensors nor "
                                + stem
                                + ".safetensors.index.json");
    }

    /**
     * Returns whether a name that comes out of a file is that of something in the file's own
     * folder.
     */
    public static boolean isBareName(String name) {
        return ShardIndex.isBareName(name) && ShardIndex.isPath(name);
    }

    private static void requireBareName(String name) {
        if (!isBareName(name)) {
            throw new IllegalArgumentException(
                    Names.quote(name) + " can't be part of a file's name");
        }
    }
}
