package dev.darkroom.runtime.internal.ffi;

import java.util.function.LongConsumer;

/** A generator, stream or event. */
public final class ObjectHandle extends Handle {
    private final String noun;
    private final LongConsumer free;

    ObjectHandle(long address, String noun, LongConsumer free) {
        super(address);
        this.noun = noun;
        this.free = free;
    }

    /** Owns a new object, which is freed if Java's heap has no room for the handle. */
    static ObjectHandle owning(long address, String noun, LongConsumer free) {
        try {
            return new ObjectHandle(address, noun, free);
        } catch (RuntimeException | Error e) {
            free.accept(address);
            throw e;
        }
    }

    @Override
    void free() {
        free.accept(address);
    }

    @Override
    String noun() {
        return noun;
    }
}
