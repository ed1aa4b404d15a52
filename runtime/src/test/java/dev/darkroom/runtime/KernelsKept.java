package dev.darkroom.runtime;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

import java.util.Objects;

/** Brings the choice of kernels back that was before a test. */
final class KernelsKept implements BeforeEachCallback, AfterEachCallback {
    private static final ExtensionContext.Namespace OURS =
            ExtensionContext.Namespace.create(KernelsKept.class);

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(OURS).put("before", Kernels.current());
    }

    @Override
    public void afterEach(ExtensionContext context) {
        Kernels.use(Objects.requireNonNull(context.getStore(OURS).get("before", Kernels.class)));
    }
}
