package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.runtime.libtorch.LibtorchNotFoundException;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.List;

/** Loads libtorch and the shim, once, when they are first needed. */
public final class Libtorch {
    private static final List<String> EVERYDAY =
            List.of(
                    "dr_op_find",
                    "dr_op_mutates",
                    "dr_call",
                    "dr_results_free",
                    "dr_tensor_inspect",
                    "dr_take_warning");

    private static final String LOADED_BY_ANOTHER =
            "another class loader of this JVM has loaded Darkroom and libtorch already, and Java"
                + " lets a native library be loaded by one class loader only. Put Darkroom's jars"
                + " where all that use them share one class loader (a server's or plugin host's"
                + " common folder); if the other one was closed, drop every reference to its"
                + " classes and try again once it is collected. The JVM says: ";

    private static volatile @Nullable Libtorch loaded;
    private static @Nullable LibtorchNotFoundException failure;

    private final LibtorchLocation location;
    private final Path shim;
    private final String version;

    private Libtorch(LibtorchLocation location, Path shim, String version) {
        this.location = location;
        this.shim = shim;
        this.version = version;
    }

    /** Returns where it came from. */
    public LibtorchLocation location() {
        return location;
    }

    /** Returns the file of the shim. */
    public Path shim() {
        return shim;
    }

    /** Returns the version that the loaded libtorch gives for itself. */
    public String version() {
        return version;
    }

    /**
     * Loads libtorch if it is not loaded yet.
     *
     * @throws LibtorchNotFoundException if none is found, or none that the shim was built for
     */
    public static Libtorch load() {
        Libtorch known = loaded;
        return known != null ? known : loadOnce();
    }

    private static synchronized Libtorch loadOnce() {
        Libtorch known = loaded;
        if (known != null) {
            return known;
        }
        if (failure != null) {
            throw failure;
        }
        try {
            Libtorch now = open(LibtorchLocation.find());
            loaded = now;
            return now;
        } catch (LibtorchNotFoundException e) {
            // Another class loader may be collected.
            failure = String.valueOf(e.getMessage()).startsWith(LOADED_BY_ANOTHER) ? null : e;
            throw e;
        }
    }

    private static Libtorch open(LibtorchLocation location) {
        Path shim = Shim.find(location);
        List<Path> libraries = location.libraries();
        try {
            for (Path library : libraries) {
                System.load(library.toString());
            }
            System.load(shim.toString());
        } catch (UnsatisfiedLinkError e) {
            if (String.valueOf(e.getMessage()).contains("in another classloader")) {
                throw new LibtorchNotFoundException(LOADED_BY_ANOTHER + e.getMessage(), e);
            }
            throw new LibtorchNotFoundException(
                    "libtorch "
                            + location.version()
                            + " in "
                            + location.directory()
                            + " could not be loaded: "
                            + e.getMessage(),
                    e);
        } catch (IllegalCallerException e) {
            throw new LibtorchNotFoundException(
                    "Darkroom may not call native code. Start the JVM with"
                            + " --enable-native-access=ALL-UNNAMED, or on the module path with"
                            + " --enable-native-access=dev.darkroom.runtime,dev.darkroom.bindings",
                    e);
        }
        checkVersions(location);
        linkBindings();
        ExitHook.add();
        return new Libtorch(location, shim, Native.text(DarkroomH::dr_libtorch_version));
    }

    /**
     * Links what every use of a tensor calls. Where the first call is made at the end of a thread's
     * stack, linking would fail, and the JVM would then refuse that function for good.
     */
    private static void linkBindings() {
        for (String function : EVERYDAY) {
            link(DarkroomH.class.getName() + "$" + function);
        }
        link(References.class.getName());
    }

    private static void link(String className) {
        try {
            Class.forName(className, true, Libtorch.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new AssertionError("every function has a class of its own", e);
        }
    }

    private static void checkVersions(LibtorchLocation location) {
        int abi = DarkroomH.dr_abi_version();
        if (abi != DarkroomH.DR_ABI_VERSION()) {
            throw new LibtorchNotFoundException(
                    "the shim speaks version "
                            + abi
                            + " of darkroom.h, this Darkroom speaks version "
                            + DarkroomH.DR_ABI_VERSION()
                            + "; build both from the same sources");
        }
        String built = DarkroomH.dr_built_for().getString(0);
        String running = Native.text(DarkroomH::dr_libtorch_version);
        if (!LibtorchLocation.minor(built).equals(LibtorchLocation.minor(running))) {
            throw new LibtorchNotFoundException(
                    "the shim was built for libtorch "
                            + built
                            + " but the libtorch in "
                            + location.directory()
                            + " is "
                            + running
                            + "; "
                            + Shim.HOW_TO_BUILD);
        }
    }
}
