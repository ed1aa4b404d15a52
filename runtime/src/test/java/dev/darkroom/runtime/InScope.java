package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Runs each test of a class, and what it does before and after, in a scope of its own, and sees
 * that no more tensors are live afterwards than before.
 */
public final class InScope implements BeforeEachCallback, AfterEachCallback {
    private static final Namespace OWN = Namespace.create(InScope.class);

    private record Opened(long live, TensorScope scope) {}

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(OWN).put("opened", new Opened(Memory.liveTensors(), TensorScope.open()));
    }

    @Override
    public void afterEach(ExtensionContext context) {
        var opened = context.getStore(OWN).remove("opened", Opened.class);
        opened.scope().close();
        assertEquals(opened.live(), Memory.liveTensors(), "live tensors");
    }
}
