package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * The weights of one part of a model, such as its transformer, as hubs lay them out.
 *
 * @param path a safetensors file or the index of several; what {@link Safetensors#open} takes
 * @param isVariant whether it is the variant that was asked for; false also where none was asked
 *     for
 */
public record WeightFiles(Path path, boolean isVariant) {
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
     * @throws SafetensorsException if there are no safetensors; it says so if there are pickles
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

    private static @Nullable Path first(Path folder, List<String> names) {
        return names.stream().map(folder::resolve).filter(Files::exists).findFirst().orElse(null);
    }

    private static SafetensorsException missing(Path folder, String stem) throws IOException {
        if (!Files.isDirectory(folder)) {
            return new SafetensorsException(
                    Kind.MISSING_FILE, folder, null, "there is no such folder");
        }
        try (var files = Files.list(folder)) {
            var pickle =
                    files.filter(file -> ForeignFormats.isPickleName(file.getFileName().toString()))
                            .findFirst();
            if (pickle.isPresent()) {
                return ForeignFormats.pickle(pickle.get());
            }
        }
        return new SafetensorsException(
                Kind.MISSING_FILE,
                folder,
                null,
                String.format(
                        Locale.ROOT,
                        "the folder has neither %s.safetensors nor %s.safetensors.index.json",
                        stem,
                        stem));
    }

    private static void requireBareName(String name) {
        if (!ShardIndex.isBareName(name)) {
            throw new IllegalArgumentException(
                    Names.quote(name) + " can't be part of a file's name");
        }
    }
}
