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

    @Override
    void free() {
        free.accept(address);
    }

    @Override
    String noun() {
        return noun;
    }
}
