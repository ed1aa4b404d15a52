package dev.darkroom.training.data;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/** A folder of pictures, one of its files or a cache is not as it should be. Names the file. */
public final class DataException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * Makes an exception of a problem of a file or folder.
     *
     * @param problem and, where it is not obvious, what helps
     */
    public DataException(Path file, String problem) {
        this(file, problem, null);
    }

    DataException(Path file, String problem, @Nullable Throwable cause) {
        super(file + ": " + OneLine.of(problem), cause);
    }

    /**
     * @param line from 1
     */
    DataException(Path file, int line, String problem, @Nullable Throwable cause) {
        super(file + ", line " + line + ": " + OneLine.of(problem), cause);
    }
}
