package dev.darkroom.models.plan;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The memory of this process. */
final class ProcessMemory {
    /** The JVM and libtorch, where the system does not say. */
    private static final long USUAL = 250L << 20;

    private ProcessMemory() {}

    /** Returns the bytes in memory, mapped files too. */
    static long residentBytes() {
        Path status = Path.of("/proc/self/status");
        try {
            for (String line : Files.readAllLines(status)) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
        } catch (IOException e) {
            return USUAL; // not Linux
        }
        return USUAL;
    }
}
