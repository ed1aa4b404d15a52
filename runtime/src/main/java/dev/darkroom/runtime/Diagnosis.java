package dev.darkroom.runtime;

import dev.darkroom.runtime.cache.Cache;
import dev.darkroom.runtime.internal.ffi.Libtorch;
import dev.darkroom.runtime.internal.ffi.LibtorchLocation;
import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.Platform;
import dev.darkroom.runtime.libtorch.LibtorchNotFoundException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * What Darkroom finds on this machine, for {@code darkroom doctor} and bug reports. Finding out
 * never fails: what is missing is part of the answer.
 *
 * @param platform such as {@code linux-x86_64}
 * @param cache the state of the folder where Darkroom unpacks natives
 * @param sources the places where a libtorch may be, in the order in which they are tried
 * @param libtorch the loaded libtorch; null if none could be loaded
 * @param problem why none could be loaded; null if one is
 */
public record Diagnosis(
        String platform,
        CacheState cache,
        List<Source> sources,
        @Nullable Loaded libtorch,
        @Nullable String problem) {

    /**
     * Darkroom's cache, all of which has been read.
     *
     * @param folder null if there can be none
     * @param damaged what was not as it was written; it is unpacked again when it is used
     * @param problem why it can't be used; null if it can
     */
    public record CacheState(@Nullable Path folder, List<Path> damaged, @Nullable String problem) {
        private static CacheState read() {
            Path root = null;
            try {
                root = Cache.root();
                return new CacheState(root, Cache.verify(), null);
            } catch (IOException e) {
                return new CacheState(root, List.of(), e.getMessage());
            }
        }
    }

    /**
     * A place where a libtorch may be.
     *
     * @param name such as {@code LIBTORCH}
     * @param found version and folder, or why there is none
     */
    public record Source(String name, String found) {}

    /**
     * The loaded libtorch.
     *
     * @param version that it gives for itself
     * @param source which of the places it came from
     * @param directory where its libraries are
     * @param shim the file of Darkroom's shim
     * @param threads that an operator uses by default
     * @param cpuCapability the vector instructions that its kernels use
     * @param devices the devices that can be used
     * @param settings how it was built, several lines
     */
    public record Loaded(
            String version,
            String source,
            Path directory,
            Path shim,
            int threads,
            String cpuCapability,
            List<Device> devices,
            String settings) {}

    /** Looks at everything, and loads libtorch if it is not loaded yet. */
    public static Diagnosis make() {
        CacheState cache = CacheState.read();
        List<Source> sources = new ArrayList<>();
        for (LibtorchLocation.Source source : LibtorchLocation.Source.values()) {
            String found;
            try {
                LibtorchLocation location = source.find();
                found =
                        location == null
                                ? "none"
                                : location.version() + " in " + location.directory();
            } catch (LibtorchNotFoundException e) {
                found = Objects.requireNonNull(e.getMessage());
            }
            sources.add(new Source(source.label(), found));
        }
        Loaded loaded = null;
        String problem = null;
        try {
            loaded = loaded();
        } catch (LibtorchNotFoundException e) {
            problem = e.getMessage();
        }
        return new Diagnosis(Platform.name(), cache, List.copyOf(sources), loaded, problem);
    }

    /**
     * Returns the libtorch that is used, which is loaded now if none is yet.
     *
     * @throws LibtorchNotFoundException if none can be
     */
    public static Loaded loaded() {
        Libtorch libtorch = Libtorch.load();
        List<Device> devices = new ArrayList<>();
        devices.add(Device.CPU);
        for (Device.Type type : Device.Type.values()) {
            boolean counted = type != Device.Type.CPU && type != Device.Type.META;
            for (int i = 0; counted && i < type.count(); i++) {
                devices.add(new Device(type, i));
            }
        }
        return new Loaded(
                libtorch.version(),
                libtorch.location().source(),
                libtorch.location().directory(),
                libtorch.shim(),
                Native.threads(),
                Native.cpuCapability(),
                List.copyOf(devices),
                Native.config().strip());
    }
}
