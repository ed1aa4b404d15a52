package dev.darkroom.models.config;

import dev.darkroom.common.OneLine;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/** A config is not JSON, or has an option or a value that is not supported. Names the file. */
public final class ConfigException extends IOException {
    private static final long serialVersionUID = 1L;

    ConfigException(Path file, String problem, @Nullable Exception cause) {
        super(file + ": " + OneLine.of(problem), cause);
    }
}
