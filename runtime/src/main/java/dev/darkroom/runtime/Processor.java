package dev.darkroom.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/**
 * The processor and its instructions, as the system names them.
 *
 * @param name such as {@code AMD EPYC 9B14}; the architecture if the system tells no name
 * @param architecture Java's name, {@code amd64} or {@code aarch64}
 * @param instructions Linux's names, such as {@code avx512_bf16}; empty where the system has no
 *     {@code /proc/cpuinfo}
 */
public record Processor(String name, String architecture, Set<String> instructions) {
    private static final Path CPUINFO = Path.of("/proc/cpuinfo");

    /** Keeps the instructions in the order of their names. */
    public Processor {
        instructions = java.util.Collections.unmodifiableSet(new TreeSet<>(instructions));
    }

    /** Returns the processor of this machine. */
    public static Processor current() {
        String architecture = System.getProperty("os.arch");
        List<String> lines;
        try {
            lines = Files.exists(CPUINFO) ? Files.readAllLines(CPUINFO) : List.of();
        } catch (IOException e) {
            lines = List.of();
        }
        return read(lines, architecture);
    }

    /** Reads the lines of {@code /proc/cpuinfo}; where processors differ, the last one counts. */
    static Processor read(List<String> cpuinfo, String architecture) {
        String name = architecture;
        Set<String> instructions = Set.of();
        for (String line : cpuinfo) {
            String[] field = line.split(":", 2);
            switch (field[0].strip()) {
                case "model name" -> name = field[1].strip();
                case "flags", "Features" ->
                        instructions =
                                new TreeSet<>(
                                        Arrays.asList(
                                                field[1].strip()
                                                        .toLowerCase(Locale.ROOT)
                                                        .split(" +")));
                default -> {
                    // Other lines tell nothing that matters here.
                }
            }
        }
        return new Processor(name, architecture, instructions);
    }
}
