package dev.darkroom.common;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;

/** Locks of files, which Java tells apart by who holds them. */
public final class FileLocks {
    private FileLocks() {}

    /**
     * Locks a file if nobody has it.
     *
     * @return null where another process has it, or another thread of this one
     * @throws IOException if the file can't be locked
     */
    public static @Nullable FileLock tryLock(FileChannel file) throws IOException {
        try {
            return file.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }
}
