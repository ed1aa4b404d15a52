package dev.darkroom.models.checkpoint;

import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a single file would be as a checkpoint folder.
 *
 * @param files the texts of the folder's files by their paths in it: {@code model_index.json},
 *     configs, tokenizers
 * @param weights how the file calls the tensors of each part, by the part's name
 * @param leftovers names of tensors that files hold besides, without a use; {@code *} stands for
 *     any text
 */
public record HubLayout(
        Map<String, String> files, Map<String, KeyMap> weights, List<String> leftovers) {
    public HubLayout {
        files = Collections.unmodifiableMap(new LinkedHashMap<>(files));
        weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
        leftovers = List.copyOf(leftovers);
    }

    /** Returns this layout with some of the files replaced. */
    public HubLayout with(Map<String, String> others) {
        Map<String, String> all = new LinkedHashMap<>(files);
        all.putAll(others);
        return new HubLayout(all, weights, leftovers);
    }

    /** Reads a part's tokenizer, through a folder that is gone afterwards. */
    Tokenizer tokenizer(String part, String className) throws IOException {
        Path folder = Files.createTempDirectory("darkroom-tokenizer-");
        List<Path> written = new ArrayList<>();
        try {
            for (var file : files.entrySet()) {
                String path = file.getKey();
                String name = path.substring(path.lastIndexOf('/') + 1);
                if (path.equals(part + "/" + name) && WeightFiles.isBareName(name)) {
                    Path to = folder.resolve(name);
                    written.add(to);
                    Files.writeString(to, file.getValue());
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
