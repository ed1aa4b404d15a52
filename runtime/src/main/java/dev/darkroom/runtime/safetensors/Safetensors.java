package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * An opened checkpoint: one file, or the shards of an index. Opening reads and checks the headers
 * only. May be used by several threads at once.
 *
 * <pre>{@code
 * try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
 *     var weight = checkpoint.tensor("proj_out.weight");
 * }
 * }</pre>
 */
public final class Safetensors implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.safetensors");

    private record Entry(Shard shard, StoredTensor tensor) {}

    private final Path path;
    private final List<Shard> shards;
    private final Map<String, Entry> entries;

    /** Reading tensors is shared, closing is not. */
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    private boolean closed;

    private Safetensors(Path path, List<Shard> shards) throws SafetensorsException {
        this.path = path;
        this.shards = shards;
        entries = new LinkedHashMap<>();
        for (var shard : shards) {
            for (var tensor : shard.header().tensors().values()) {
                var other = entries.put(tensor.name(), new Entry(shard, tensor));
                if (other != null) {
                    throw new SafetensorsException(
                            Kind.DUPLICATE_ACROSS_SHARDS,
                            path,
                            tensor.name(),
                            String.format(
                                    Locale.ROOT,
                                    "it is in the shard %s and in the shard %s",
                                    other.tensor.file().getFileName(),
                                    tensor.file().getFileName()));
                }
            }
        }
    }

    /**
     * Opens a {@code .safetensors} file, or all shards of a {@code .safetensors.index.json}.
     *
     * @throws SafetensorsException if a file breaks a rule of the format, or index and shards do
     *     not fit together
     * @throws IOException if a file can't be read
     */
    public static Safetensors open(Path fileOrIndex, LoadMode mode) throws IOException {
        Objects.requireNonNull(mode, "mode");
        boolean isIndex = fileOrIndex.toString().endsWith(".json");
        return isIndex
                ? openIndex(fileOrIndex, mode)
                : openShards(fileOrIndex, List.of(fileOrIndex), mode);
    }

    private static Safetensors openIndex(Path file, LoadMode mode) throws IOException {
        var index = ShardIndex.read(file);
        var present = new ArrayList<Path>();
        var missing = new LinkedHashSet<String>();
        for (var name : index.shards()) {
            var shard = file.resolveSibling(name);
            ForeignFormats.requireFinished(shard);
            if (Files.exists(shard)) {
                present.add(shard);
            } else {
                missing.add(name);
            }
        }
        var checkpoint = openShards(file, present, mode);
        try {
            checkpoint.compareWith(index, missing);
        } catch (SafetensorsException e) {
            checkpoint.close();
            throw e;
        }
        return checkpoint;
    }

    private static Safetensors openShards(Path path, List<Path> files, LoadMode mode)
            throws IOException {
        var shards = new ArrayList<Shard>();
        try {
            for (var file : files) {
                shards.add(Shard.open(file, mode));
            }
            return new Safetensors(path, shards);
        } catch (IOException | RuntimeException | Error e) {
            for (int i = 0; i < shards.size(); i++) {
                shards.get(i).close();
            }
            throw e;
        }
    }

    /** Reports everything in which index and shards differ, at once. */
    private void compareWith(ShardIndex index, Set<String> missingShards)
            throws SafetensorsException {
        var absent = new ArrayList<String>();
        index.weightMap()
                .forEach(
                        (name, shard) -> {
                            var entry = entries.get(name);
                            if (!missingShards.contains(shard)
                                    && (entry == null
                                            || !entry.tensor
                                                    .file()
                                                    .getFileName()
                                                    .toString()
                                                    .equals(shard))) {
                                absent.add(name);
                            }
                        });
        var unlisted = new ArrayList<>(entries.keySet());
        unlisted.removeAll(index.weightMap().keySet());
        var wrong = new ArrayList<String>();
        if (!missingShards.isEmpty()) {
            wrong.add("missing shards " + Names.list(missingShards));
        }
        if (!absent.isEmpty()) {
            wrong.add("tensors that are not in the shard the index names " + Names.list(absent));
        }
        if (!unlisted.isEmpty()) {
            wrong.add("tensors that the index does not name " + Names.list(unlisted));
        }
        if (!wrong.isEmpty()) {
            throw new SafetensorsException(
                    missingShards.isEmpty() ? Kind.INDEX_MISMATCH : Kind.MISSING_SHARD,
                    index.file(),
                    null,
                    "the index and its shards do not fit together: " + String.join("; ", wrong));
        }
        long bytes = tensorBytes();
        if (index.totalSize().orElse(bytes) != bytes) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    String.format(
                            Locale.ROOT,
                            "%s: total_size is %d, but the shards hold %d bytes of tensors",
                            index.file(),
                            index.totalSize().getAsLong(),
                            bytes));
        }
    }

    /** Returns the file or index that was opened. */
    public Path path() {
        return path;
    }

    /** Returns the headers of the files, in the order of the index. */
    public List<SafetensorsHeader> headers() {
        return shards.stream().map(Shard::header).toList();
    }

    /** Returns the names of all tensors, in the order of the files. */
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    /** Returns the bytes of all tensors together. */
    public long tensorBytes() {
        return shards.stream().mapToLong(shard -> shard.header().tensorBytes()).sum();
    }

    /** Returns the metadata of the files; where several have a key, the first one's value. */
    public Map<String, String> metadata() {
        var metadata = new LinkedHashMap<String, String>();
        for (var shard : shards) {
            shard.header().metadata().forEach(metadata::putIfAbsent);
        }
        return Collections.unmodifiableMap(metadata);
    }

    /**
     * Returns what the header says of a tensor.
     *
     * @throws SafetensorsException if there is no tensor of that name
     */
    public StoredTensor info(String name) throws SafetensorsException {
        return entry(name).tensor;
    }

    /**
     * Loads a tensor on the CPU, in the file's dtype. It belongs to the open scope, and stays valid
     * after this checkpoint is closed.
     *
     * @throws SafetensorsException if there is no tensor of that name, libtorch does not have its
     *     dtype, its values are not valid, the file was changed, or reading it would take more
     *     memory than there is
     * @throws IOException if the file can't be read
     * @throws IllegalStateException if this checkpoint is closed
     */
    public Tensor tensor(String name) throws IOException {
        var entry = entry(name);
        lock.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException("the checkpoint " + path + " is closed");
            }
            return entry.shard.tensor(entry.tensor);
        } finally {
            lock.readLock().unlock();
        }
    }

    /** Returns this checkpoint's tensors as the weights of layers, usable until this is closed. */
    public WeightSource weights() {
        return new CheckpointWeights(this);
    }

    private Entry entry(String name) throws SafetensorsException {
        var entry = entries.get(name);
        if (entry == null) {
            throw new SafetensorsException(
                    Kind.NO_SUCH_TENSOR, path, name, "the checkpoint has no tensor of this name");
        }
        return entry;
    }

    /** Closes the files. Tensors that were loaded stay valid. Closing twice is allowed. */
    @Override
    public void close() throws IOException {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                for (int i = 0; i < shards.size(); i++) { // an iterator may not fit in Java's heap
                    shards.get(i).close();
                }
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
