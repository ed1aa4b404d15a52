package dev.darkroom.runtime;

import dev.darkroom.common.ByteSize;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How much memory can still be taken. Linux promises more than it has and later kills the process
 * that takes it at its word, so a large allocation is compared with this before it is made.
 *
 * <p>On Linux it is the smaller of {@code MemAvailable} and what the process's cgroups (version 1
 * or 2, the enclosing ones too) leave; elsewhere the physical memory. The system property {@code
 * darkroom.memory.limit} (a size like {@code 8g}) takes the place of all that.
 *
 * @param available bytes
 * @param source where the number comes from, in words
 */
public record MemoryBudget(long available, String source) {
    /** The system property that sets the budget by hand. */
    public static final String PROPERTY = "darkroom.memory.limit";

    public MemoryBudget {
        Objects.requireNonNull(source, "source");
    }

    /**
     * Measures the budget at this moment.
     *
     * @throws IllegalArgumentException if the property is set to something that is not a size
     */
    public static MemoryBudget current() {
        var limit = System.getProperty(PROPERTY);
        if (limit != null) {
            try {
                return new MemoryBudget(ByteSize.parse(limit), "-D" + PROPERTY);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("-D" + PROPERTY + ": " + e.getMessage(), e);
            }
        }
        return linux(Path.of("/proc"), Path.of("/sys/fs/cgroup")).orElseGet(MemoryBudget::physical);
    }

    /**
     * Refuses what does not fit.
     *
     * @param bytes that will be allocated
     * @param what for, the subject of the message: {@code "Tensor 'x'"}
     * @throws InsufficientMemoryException if {@code bytes} is more than {@link #available}
     */
    public void require(long bytes, String what) {
        Objects.requireNonNull(what, "what");
        if (bytes > available) {
            throw new InsufficientMemoryException(
                    String.format(
                            Locale.ROOT,
                            "%s needs %s, but only %s are available (%s). Free some memory, or"
                                    + " raise the limit with -D%s=SIZE.",
                            what,
                            ByteSize.format(bytes),
                            ByteSize.format(available),
                            source,
                            PROPERTY),
                    bytes,
                    available);
        }
    }

    /** Reads the budget from Linux's own files; empty where there are none. */
    static Optional<MemoryBudget> linux(Path proc, Path cgroups) {
        var free = number(proc.resolve("meminfo"), "MemAvailable:");
        if (free.isEmpty()) {
            return Optional.empty();
        }
        var budget = new MemoryBudget(free.getAsLong() * 1024, "MemAvailable");
        for (String line : lines(proc.resolve("self/cgroup"))) {
            // hierarchy:controllers:path, where version 2 has hierarchy 0 and no controllers
            String[] parts = line.split(":", 3);
            if (parts.length < 3) {
                continue;
            }
            boolean v2 = parts[0].equals("0") && parts[1].isEmpty();
            if (v2 || List.of(parts[1].split(",")).contains("memory")) {
                var root = (v2 ? cgroups : cgroups.resolve("memory")).normalize();
                // A path from outside the container does not exist in here; its parents may.
                var group = root.resolve(parts[2].replaceFirst("^/+", "")).normalize();
                for (; group != null && group.startsWith(root); group = group.getParent()) {
                    var left = v2 ? version2(group) : version1(group);
                    if (left.isPresent() && left.getAsLong() < budget.available) {
                        budget = new MemoryBudget(left.getAsLong(), "cgroup limit");
                    }
                }
            }
        }
        return Optional.of(budget);
    }

    private static OptionalLong version2(Path group) {
        return left(
                number(group.resolve("memory.max"), ""),
                number(group.resolve("memory.current"), ""),
                number(group.resolve("memory.stat"), "inactive_file"));
    }

    private static OptionalLong version1(Path group) {
        return left(
                number(group.resolve("memory.limit_in_bytes"), ""),
                number(group.resolve("memory.usage_in_bytes"), ""),
                number(group.resolve("memory.stat"), "total_inactive_file"));
    }

    /**
     * Returns what a limit leaves; cached file pages that nobody uses count as used but are given
     * back on demand.
     */
    private static OptionalLong left(OptionalLong limit, OptionalLong used, OptionalLong cached) {
        return limit.isEmpty()
                ? limit
                : OptionalLong.of(
                        Math.max(0, limit.getAsLong() - used.orElse(0) + cached.orElse(0)));
    }

    /** Reads the number after a key at the start of a line; empty if absent or not a number. */
    private static OptionalLong number(Path file, String key) {
        for (String line : lines(file)) {
            if (line.startsWith(key)) {
                var digits = line.substring(key.length()).strip().split("\\s", 2)[0];
                // "max" stands for no limit
                return digits.matches("\\d{1,18}|[0-8]\\d{18}")
                        ? OptionalLong.of(Long.parseLong(digits))
                        : OptionalLong.empty();
            }
        }
        return OptionalLong.empty();
    }

    private static List<String> lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            return List.of(); // not ours to read: as if it were not there
        }
    }

    private static MemoryBudget physical() {
        var system = ManagementFactory.getOperatingSystemMXBean();
        return system instanceof com.sun.management.OperatingSystemMXBean os
                ? new MemoryBudget(os.getTotalMemorySize(), "physical memory")
                : new MemoryBudget(Long.MAX_VALUE, "unknown");
    }
}
