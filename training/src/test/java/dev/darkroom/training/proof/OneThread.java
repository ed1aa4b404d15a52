package dev.darkroom.training.proof;

import dev.darkroom.runtime.Threads;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Computes with one native thread: small networks gain nothing from more, lose a lot on a busy
 * machine, and then train to the same weights whatever the number of cores.
 */
final class OneThread implements BeforeAllCallback, AfterAllCallback {
    private int before;

    @Override
    public void beforeAll(ExtensionContext context) {
        before = Threads.count();
        Threads.set(1);
    }

    @Override
    public void afterAll(ExtensionContext context) {
        Threads.set(before);
    }
}
