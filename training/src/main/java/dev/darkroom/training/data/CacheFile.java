package dev.darkroom.training.data;

import dev.darkroom.common.Sha256;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsException;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Tensors that are computed once and then mapped from a file, as long as all that they depend on
 * stays the same.
 */
final class CacheFile implements AutoCloseable {
    /** What a cache holds, in the file's metadata. */
    private static final String KIND = "darkroom.cache";

    private static final String KEY = "darkroom.key";

    /** Computes the tensors, in a scope of theirs, without gradients. */
    @FunctionalInterface
    interface Maker {
        Map<String, Tensor> make() throws IOException;
    }

    private final Map<String, Tensor> tensors;

    private CacheFile(Map<String, Tensor> tensors) {
        this.tensors = tensors;
    }

    /**
     * Opens a cache, or makes it where none of the files has the right key.
     *
     * @param files where it may lie; it is made as the first
     * @param kind of cache, such as latents
     * @param parts that make up the key, in order
     * @throws DataException if a file is something else: it is not replaced
     */
    static CacheFile openOrMake(List<Path> files, String kind, Maker maker, String... parts)
            throws IOException {
        var sha = new Sha256();
        sha.addAll(parts);
        String key = sha.hex();
        for (Path file : files) {
            if (Files.exists(file) && key.equals(key(file, kind))) {
                return new CacheFile(map(file));
            }
        }
        Path made = files.getFirst();
        Path folder = made.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            SafetensorsWriter.write(made, maker.make(), Map.of(KIND, kind, KEY, key));
        }
        return new CacheFile(map(made));
    }

    private static String key(Path file, String kind) throws IOException {
        try (var opened = Safetensors.open(file, LoadMode.MAPPED)) {
            if (kind.equals(opened.metadata().get(KIND))) {
                return opened.metadata().getOrDefault(KEY, "");
            }
        } catch (SafetensorsException e) {
            throw notACache(file, kind, e);
        }
        throw notACache(file, kind, null);
    }

    private static DataException notACache(Path file, String kind, @Nullable Exception cause) {
        return new DataException(
                file, "this is no cache of " + kind + ": delete it, or name another file", cause);
    }

    private static Map<String, Tensor> map(Path file) throws IOException {
        var tensors = new LinkedHashMap<String, Tensor>();
        try (var scope = TensorScope.open();
                var opened = Safetensors.open(file, LoadMode.MAPPED)) {
            for (String name : opened.names()) {
                tensors.put(name, opened.tensor(name));
            }
            tensors.values().forEach(TensorScope::detach);
        }
        return tensors;
    }

    /** Returns whether the file has a tensor. */
    boolean has(String name) {
        return tensors.containsKey(name);
    }

    /** Returns a tensor of the file; it stays the cache's. */
    Tensor tensor(String name) {
        return Objects.requireNonNull(tensors.get(name), name);
    }

    /** Returns copies of rows. */
    Tensor rows(String name, int[] rows) {
        Tensor all = tensor(name);
        var indices = new long[rows.length];
        for (int i = 0; i < rows.length; i++) {
            indices[i] = Objects.checkIndex((long) rows[i], all.size(0));
        }
        try (var scope = TensorScope.open()) {
            return scope.keep(all.indexSelect(0, Tensor.copyOf(indices, rows.length)));
        }
    }

    static void requireGoingOn(CacheListener listener) {
        if (ForeignCode.call(listener::isCancelled)) {
            throw new CancelledException("the cache was not made: cancelled");
        }
    }

    /** Frees the tensors. Closing twice is allowed. */
    @Override
    public void close() {
        tensors.values().forEach(TensorScope::release);
    }
}
