package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsDType;
import dev.darkroom.runtime.safetensors.SafetensorsException;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.StoredTensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A part of a checkpoint that has weights, by the headers of their files.
 *
 * @param name such as {@code transformer}
 * @param className the class that {@code model_index.json} names
 * @param parameters how many numbers there are
 * @param bytes that they take in the files
 * @param bytesByType the same for each type that occurs
 */
public record Part(
        String name,
        String className,
        long parameters,
        long bytes,
        Map<SafetensorsDType, Long> bytesByType) {
    /** Keeps the map as it is now. */
    public Part {
        bytesByType = Collections.unmodifiableMap(new TreeMap<>(bytesByType));
    }

    /** Whether all its floating-point numbers are of a type, so that they are used in place. */
    boolean isStoredAs(DType dtype) {
        return bytesByType.keySet().stream()
                .map(SafetensorsDType::tensorType)
                .allMatch(
                        type ->
                                type.isPresent()
                                        && (type.get() == dtype || !type.get().isFloatingPoint()));
    }

    /**
     * Reads the headers of all parts that have weights, in the order of {@code model_index.json}.
     *
     * @param needsAll whether a part with a config must have weights; otherwise whoever loads it
     *     says so
     * @throws IOException if a file is malformed, or weights are missing that must be there
     */
    static List<Part> of(Checkpoint checkpoint, boolean needsAll) throws IOException {
        List<Part> parts = new ArrayList<>();
        for (var part : checkpoint.parts().entrySet()) {
            Path folder = checkpoint.folder().resolve(part.getKey());
            if (!Files.isRegularFile(folder.resolve("config.json"))) {
                continue; // a tokenizer, a scheduler, or a part that is left out
            }
            Path weights;
            try {
                weights = checkpoint.weights(part.getKey());
            } catch (SafetensorsException e) {
                if (needsAll) {
                    throw e;
                }
                continue;
            }
            parts.add(of(part.getKey(), part.getValue(), weights));
        }
        return parts;
    }

    private static Part of(String name, String className, Path weights) throws IOException {
        try (var safetensors = Safetensors.open(weights, LoadMode.HEADERS)) {
            List<StoredTensor> tensors = new ArrayList<>();
            for (String key : safetensors.names()) {
                tensors.add(safetensors.info(key));
            }
            return of(name, className, tensors);
        }
    }

    /** Finds the parts of a single file in its header, as its layout says. */
    static List<Part> of(Checkpoint checkpoint, HubLayout layout, SafetensorsHeader file) {
        List<Part> parts = new ArrayList<>();
        for (String name : layout.weights().keySet()) {
            String className = checkpoint.parts().getOrDefault(name, "");
            parts.add(of(name, className, layout.tensors(name, file)));
        }
        return parts;
    }

    private static Part of(String name, String className, List<StoredTensor> tensors) {
        long parameters = 0;
        Map<SafetensorsDType, Long> bytesByType = new TreeMap<>();
        for (StoredTensor tensor : tensors) {
            parameters += tensor.shape().elements();
            bytesByType.merge(tensor.dtype(), tensor.bytes(), Long::sum);
        }
        long bytes = bytesByType.values().stream().mapToLong(each -> each).sum();
        return new Part(name, className, parameters, bytes, bytesByType);
    }
}
