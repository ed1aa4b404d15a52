package dev.darkroom.runtime.safetensors;

import dev.darkroom.common.ByteSize;
import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Locale;

/** One opened file of a checkpoint. */
final class Shard implements Closeable {
    /** The most bytes that are read at once. */
    private static final int CHUNK = 1 << 20;

    /** What changes when a file is written to or replaced. */
    private record Identity(@Nullable Object key, long size, FileTime modified) {
        static Identity of(Path file) throws IOException {
            var attributes = Files.readAttributes(file, BasicFileAttributes.class);
            return new Identity(
                    attributes.fileKey(), attributes.size(), attributes.lastModifiedTime());
        }
    }

    private final SafetensorsHeader header;
    private final LoadMode mode;
    private final Identity identity;

    /**
     * Where tensors are read from; null if they are not read. No channel: that is closed for all
     * threads when one of them is interrupted.
     */
    private final @Nullable RandomAccessFile opened;

    /** The whole file as uint8 {@code [bytes]}, once a tensor was asked for. */
    private @Nullable Tensor mapping;

    private Shard(
            SafetensorsHeader header,
            LoadMode mode,
            Identity identity,
            @Nullable RandomAccessFile opened) {
        this.header = header;
        this.mode = mode;
        this.identity = identity;
        this.opened = opened;
    }

    static Shard open(Path file, LoadMode mode) throws IOException {
        ForeignFormats.checkPath(file);
        var identity = Identity.of(file);
        if (mode != LoadMode.READ) {
            return new Shard(SafetensorsHeader.read(file), mode, identity, null);
        }
        var header = SafetensorsHeader.read(file);
        var opened = new RandomAccessFile(file.toFile(), "r");
        try {
            var shard = new Shard(header, mode, identity, opened);
            shard.requireUnchanged();
            return shard;
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    SafetensorsHeader header() {
        return header;
    }

    Tensor tensor(StoredTensor stored) throws IOException {
        var dtype =
                stored.dtype()
                        .tensorType()
                        .orElseThrow(
                                () ->
                                        refusal(
                                                Kind.UNSUPPORTED_DTYPE,
                                                stored,
                                                "libtorch has no tensors of " + stored.dtype()));
        if (mode == LoadMode.HEADERS) {
            return Tensor.empty(stored.shape(), dtype, Device.META);
        }
        try (var scope = TensorScope.open();
                var noGrad = Mode.NO_GRAD.enter()) {
            var bytes = opened == null ? mapped(stored, dtype) : read(stored, opened);
            if (dtype == DType.BOOL && stored.bytes() > 0 && bytes.max().itemLong() > 1) {
                // libtorch's kernels count on 0 and 1 and would write out of bounds
                throw refusal(Kind.INVALID_BOOL, stored, "it has bytes other than 0 and 1");
            }
            return scope.keep(bytes.viewAs(dtype).reshape(stored.shape().toArray()));
        }
    }

    /**
     * A tensor's bytes in the mapping, or copied from it where libtorch can't use them in place.
     */
    private Tensor mapped(StoredTensor stored, DType dtype) throws IOException {
        var bytes = mapping().narrow(0, stored.begin(), stored.bytes());
        if (stored.begin() % dtype.bytes() == 0) {
            return bytes;
        }
        requireMemory(stored);
        return bytes.copy();
    }

    private synchronized Tensor mapping() throws IOException {
        var known = mapping;
        if (known != null) {
            return known;
        }
        requireUnchanged();
        // shared = false: a private, copy-on-write mapping
        var mapped =
                TensorScope.detach(
                        Aten.tensor(
                                "from_file",
                                header.file().toString(),
                                false,
                                identity.size(),
                                DType.UINT8));
        try {
            requireUnchanged();
        } catch (IOException e) {
            mapped.close();
            throw e;
        }
        mapping = mapped;
        return mapped;
    }

    /** Requires that the path still leads to the file whose header was read. */
    private void requireUnchanged() throws IOException {
        boolean same;
        try {
            same = Identity.of(header.file()).equals(identity);
        } catch (NoSuchFileException e) {
            same = false;
        }
        if (!same) {
            throw new SafetensorsException(
                    Kind.CHANGED,
                    header.file(),
                    null,
                    "the file was written to, replaced or moved after it had been opened");
        }
    }

    private static Tensor read(StoredTensor stored, RandomAccessFile from) throws IOException {
        requireMemory(stored);
        long size = stored.bytes();
        var bytes = Tensor.empty(Shape.of(size), DType.UINT8, Device.CPU);
        var chunk = new byte[(int) Math.min(CHUNK, size)];
        for (long done = 0; done < size; ) {
            int count =
                    read(from, stored.begin() + done, chunk, (int) Math.min(CHUNK, size - done));
            if (count < 0) {
                throw refusal(
                        Kind.CHANGED, stored, "the file became shorter after it had been opened");
            }
            bytes.buffer(done, count).put(chunk, 0, count);
            done += count;
        }
        return bytes;
    }

    private static int read(RandomAccessFile from, long position, byte[] to, int length)
            throws IOException {
        synchronized (from) {
            from.seek(position);
            return from.read(to, 0, length);
        }
    }

    private static void requireMemory(StoredTensor stored) throws SafetensorsException {
        var budget = MemoryBudget.current();
        if (stored.bytes() > budget.available()) {
            throw refusal(
                    Kind.NOT_ENOUGH_MEMORY,
                    stored,
                    String.format(
                            Locale.ROOT,
                            "reading it takes %s, but only %s are available (%s)",
                            ByteSize.format(stored.bytes()),
                            ByteSize.format(budget.available()),
                            budget.source()));
        }
    }

    private static SafetensorsException refusal(Kind kind, StoredTensor stored, String what) {
        return new SafetensorsException(kind, stored.file(), stored.name(), what);
    }

    @Override
    public void close() throws IOException {
        if (mapping != null) {
            mapping.close();
        }
        if (opened != null) {
            opened.close();
        }
    }
}
