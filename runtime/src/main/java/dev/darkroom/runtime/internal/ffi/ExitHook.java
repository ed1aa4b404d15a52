package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;

/**
 * Lets the end of the process wait for the native calls that run. The JVM waits for 300 ms, then
 * ends the process with libtorch's destructors, which take from a longer call what it uses.
 */
final class ExitHook {
    /** Says that a class loader has done this. */
    private static final String PROPERTY = "dev.darkroom.exit";

    private ExitHook() {}

    /**
     * Adds the hook, once in a process, where the shim is never unloaded: on Linux. The hook holds
     * objects of the JDK alone, and no class loader.
     */
    static void add() {
        if (!Platform.os().equals("linux")
                || System.getProperties().putIfAbsent(PROPERTY, "held") != null) {
            return;
        }
        MethodHandle hold =
                MethodHandles.insertArguments(
                        Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid()),
                        0,
                        MemorySegment.ofAddress(DarkroomH.dr_hold_exit$address().address()));
        Runnable task = MethodHandleProxies.asInterfaceInstance(Runnable.class, hold);
        var hook = new Thread(null, task, "darkroom-exit", 0, false);
        hook.setContextClassLoader(null);
        try {
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is going down already.
        }
    }
}
