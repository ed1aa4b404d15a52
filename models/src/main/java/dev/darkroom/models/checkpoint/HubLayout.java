package dev.darkroom.models.checkpoint;

import dev.darkroom.common.WholeFile;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.StoredTensor;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * What a single file would be as a checkpoint folder.
 *
 * @param kind what it is, for display, such as {@code Stable Diffusion XL}
 * @param files the texts of the folder's files by their paths in it: {@code model_index.json},
 *     configs, tokenizers
 * @param weights how the file calls the tensors of each part, by the part's name
 * @param leftovers names of tensors that files hold besides, without a use; one {@code *} stands
 *     for any text
 * @param essential names of tensors without which a file would be something else than its layout
 *     says, in the same form: one of these without a use is an error, unless it is a leftover
 */
public record HubLayout(
        String kind,
        Map<String, String> files,
        Map<String, KeyMap> weights,
        List<String> leftovers,
        List<String> essential) {
    public HubLayout {
        Objects.requireNonNull(kind, "kind");
        files = Collections.unmodifiableMap(new LinkedHashMap<>(files));
        weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
        leftovers = List.copyOf(leftovers);
        essential = List.copyOf(essential);
    }

    /**
     * Returns this layout with some of the files replaced. A part that has any of the others has no
     * files but those, since they belong together.
     */
    public HubLayout with(Map<String, String> others) {
        Map<String, String> all = new LinkedHashMap<>(files);
        Set<String> replaced = new HashSet<>();
        others.keySet().forEach(path -> replaced.add(part(path)));
        all.keySet().removeIf(path -> !part(path).isEmpty() && replaced.contains(part(path)));
        all.putAll(others);
        return new HubLayout(kind, all, weights, leftovers, essential);
    }

    private static String part(String path) {
        return path.substring(0, Math.max(0, path.indexOf('/')));
    }

    /** Returns the text of {@code model_index.json}. */
    public String index() {
        return Objects.requireNonNull(files.get(Checkpoint.INDEX), Checkpoint.INDEX);
    }

    /** Returns the tensors of a file that belong to a part, without leftovers. */
    public List<StoredTensor> tensors(String part, SafetensorsHeader file) {
        KeyMap names = weights.get(part);
        if (names == null) {
            throw new IllegalArgumentException(
                    "no part " + part + " has weights in " + file.file());
        }
        return file.tensors().values().stream()
                .filter(tensor -> names.isOf(tensor.name()))
                .filter(tensor -> !isLeftover(tensor.name()))
                .toList();
    }

    boolean isLeftover(String tensor) {
        return matches(leftovers, tensor);
    }

    boolean isEssential(String tensor) {
        return matches(essential, tensor);
    }

    private static boolean matches(List<String> names, String tensor) {
        return names.stream().anyMatch(name -> matches(name, tensor));
    }

    private static boolean matches(String name, String tensor) {
        int star = name.indexOf('*');
        return star < 0
                ? name.equals(tensor)
                : tensor.length() >= name.length() - 1
                        && tensor.startsWith(name.substring(0, star))
                        && tensor.endsWith(name.substring(star + 1));
    }

    /**
     * Reads a part's tokenizer, through a folder that is gone afterwards.
     *
     * @throws IOException if a file is missing or malformed
     */
    public Tokenizer tokenizer(String part, String className) throws IOException {
        Objects.requireNonNull(part, "part");
        Objects.requireNonNull(className, "className");
        Path folder = Files.createTempDirectory("darkroom-tokenizer-");
        List<Path> written = new ArrayList<>();
        try {
            for (var file : files.entrySet()) {
                String path = file.getKey();
                String name = path.substring(path.lastIndexOf('/') + 1);
                if (path.equals(part + "/" + name) && WeightFiles.isBareName(name)) {
                    Path to = folder.resolve(name);
                    written.add(to);
                    try {
                        Files.writeString(to, file.getValue());
                    } catch (IOException e) {
                        throw WholeFile.failed(to, e);
                    }
                }
            }
            return Tokenizers.load(folder, className);
        } finally {
            for (Path each : written) {
                Files.deleteIfExists(each);
            }
            Files.delete(folder);
        }
    }
}
