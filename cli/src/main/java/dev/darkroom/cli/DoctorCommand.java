package dev.darkroom.cli;

import dev.darkroom.common.ByteSize;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Processor;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** {@code darkroom doctor}: what is on this machine, and why something is missing. */
@Command(
        name = "doctor",
        description = "Tells whether Darkroom can run on this machine, and with what.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        footer = {"", "It exits with 0 if Darkroom can run, and 1 if not."})
final class DoctorCommand implements Callable<Integer> {
    /** The column in which values begin. */
    private static final int COLUMN = 30;

    private static final Path NVIDIA_DRIVER = Path.of("/proc/driver/nvidia/version");

    /** The instructions that decide which of libtorch's kernels run, and how fast bfloat16 is. */
    private static final Pattern FEATURE =
            Pattern.compile("avx|avx2|fma|f16c|avx512.*|avx_vnni|amx.*|asimd.*|bf16|sve.*|i8mm");

    @Spec private CommandSpec spec;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() {
        Diagnosis diagnosis = Diagnosis.make();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(GenerationParameters.json(findings(diagnosis, true)));
        } else {
            findings(diagnosis, false).forEach((name, value) -> print(out, "", name, value));
            out.println();
            out.println(
                    diagnosis.problem() == null
                            ? "Darkroom can run here."
                            : "Darkroom can't run here: " + diagnosis.problem() + ".");
        }
        out.flush();
        return diagnosis.libtorch() == null ? ExitCode.SOFTWARE : ExitCode.OK;
    }

    private static void print(PrintWriter out, String indent, String name, Object value) {
        if (value instanceof Map<?, ?> map) {
            out.println(indent + name + ":");
            map.forEach((key, inner) -> print(out, indent + "  ", String.valueOf(key), inner));
        } else {
            String text =
                    value instanceof List<?> list
                            ? String.join(" ", list.stream().map(String::valueOf).toList())
                            : String.valueOf(value);
            int space = Math.max(1, COLUMN - indent.length() - name.length());
            out.println(indent + name + " ".repeat(space) + text);
        }
    }

    /**
     * Names and values.
     *
     * @param full with libtorch's long list of how it was built
     */
    private static Map<String, Object> findings(Diagnosis diagnosis, boolean full) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("darkroom", Version.project());
        all.put(
                "java",
                System.getProperty("java.version")
                        + " ("
                        + System.getProperty("java.vendor")
                        + ") in "
                        + System.getProperty("java.home"));
        all.put("platform", diagnosis.platform());
        Processor processor = Processor.current();
        all.put("processor", processor.name());
        all.put("processors", Runtime.getRuntime().availableProcessors());
        all.put(
                "instructions",
                processor.instructions().stream().filter(FEATURE.asMatchPredicate()).toList());
        all.put("heap limit", ByteSize.format(Runtime.getRuntime().maxMemory()));
        all.put("memory", memory());
        putCache(all, diagnosis.cache());
        Map<String, Object> sources = new LinkedHashMap<>();
        diagnosis.sources().forEach(source -> sources.put(source.name(), source.found()));
        all.put("libtorch found", sources);
        Diagnosis.Loaded libtorch = diagnosis.libtorch();
        if (libtorch == null) {
            all.put("problem", String.valueOf(diagnosis.problem()));
            return all;
        }
        Map<String, Object> loaded = new LinkedHashMap<>();
        loaded.put("version", libtorch.version());
        loaded.put("source", libtorch.source());
        loaded.put("folder", libtorch.directory().toString());
        loaded.put("shim", libtorch.shim().toString());
        loaded.put("threads", libtorch.threads());
        loaded.put("kernels", libtorch.cpuCapability());
        loaded.put("chosen kernels", kernels());
        loaded.put("devices", libtorch.devices().stream().map(Device::toString).toList());
        String noGpu = noGpu(libtorch);
        if (noGpu != null) {
            loaded.put("no cuda", noGpu);
        }
        if (full) {
            loaded.put("build", libtorch.settings().lines().map(String::strip).toList());
        }
        all.put("libtorch used", loaded);
        return all;
    }

    private static List<String> kernels() {
        try {
            return List.of(Kernels.current().toString().split(","));
        } catch (IllegalArgumentException | IllegalStateException e) {
            return List.of(String.valueOf(e.getMessage()));
        }
    }

    private static String memory() {
        try {
            MemoryBudget budget = MemoryBudget.current();
            return ByteSize.format(budget.available()) + " available (" + budget.source() + ")";
        } catch (IllegalArgumentException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** Why there is no GPU to use; null if there is one. */
    private static @Nullable String noGpu(Diagnosis.Loaded libtorch) {
        if (libtorch.devices().stream().anyMatch(device -> device.type() == Device.Type.CUDA)) {
            return null;
        }
        boolean built =
                Files.exists(libtorch.directory().resolve(System.mapLibraryName("torch_cuda")));
        boolean driver = Files.exists(NVIDIA_DRIVER);
        if (!built) {
            return "this libtorch is built without CUDA"
                    + (driver ? "; point LIBTORCH at one with it to use the NVIDIA GPU" : "");
        }
        return driver
                ? "this libtorch has CUDA and there is an NVIDIA driver, but it shows no GPU; see"
                        + " whether nvidia-smi does, and whether CUDA_VISIBLE_DEVICES hides it"
                : "this libtorch has CUDA, but there is no NVIDIA driver";
    }

    private static void putCache(Map<String, Object> all, Diagnosis.CacheState cache) {
        Path folder = cache.folder();
        if (folder != null) {
            all.put("cache folder", folder + size(folder));
        }
        if (cache.problem() != null) {
            all.put("cache problem", cache.problem());
        }
        if (!cache.damaged().isEmpty()) {
            all.put(
                    "cache damaged",
                    cache.damaged().stream()
                            .map(each -> each + ", which is unpacked again when it is used")
                            .toList());
        }
    }

    private static String size(Path cache) {
        if (!Files.isDirectory(cache)) {
            return " (not made yet)";
        }
        try (Stream<Path> files = Files.walk(cache)) {
            long bytes =
                    files.filter(Files::isRegularFile)
                            .mapToLong(file -> file.toFile().length())
                            .sum();
            return " (" + ByteSize.format(bytes) + ", read and compared)";
        } catch (IOException | UncheckedIOException e) {
            return " (can't be read)";
        }
    }
}
