package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_mode;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A mode as the shim reads it. Immutable; its memory lives as long as it is reachable. */
public final class NativeMode {
    final MemorySegment segment;
    final boolean grad;
    final @Nullable ObjectHandle stream;

    /**
     * @param autocastDtype libtorch's scalar type, or −1 for no autocast
     * @param autocastDevice libtorch's device type
     */
    public NativeMode(
            boolean grad,
            boolean inference,
            int autocastDtype,
            int autocastDevice,
            @Nullable ObjectHandle stream) {
        segment = dr_mode.allocate(Arena.ofAuto());
        int flags = grad ? DarkroomH.DR_GRAD() : 0;
        flags |= inference ? DarkroomH.DR_INFERENCE() : 0;
        flags |= autocastDtype >= 0 ? DarkroomH.DR_AUTOCAST() : 0;
        dr_mode.flags(segment, flags);
        dr_mode.autocast_dtype(segment, Math.max(autocastDtype, 0));
        dr_mode.autocast_device(segment, autocastDevice);
        dr_mode.stream(
                segment,
                stream == null ? MemorySegment.NULL : MemorySegment.ofAddress(stream.address));
        this.grad = grad;
        this.stream = stream;
    }
}
