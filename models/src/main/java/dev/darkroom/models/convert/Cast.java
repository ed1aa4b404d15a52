package dev.darkroom.models.convert;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Weights in another floating-point type; those of other types stay as they are. */
record Cast(WeightSource source, DType to) implements WeightSource {
    @Override
    public String name() {
        return source.name();
    }

    @Override
    public Set<String> keys() {
        return source.keys();
    }

    @Override
    public Shape shape(String key) {
        return source.shape(key);
    }

    @Override
    public Optional<DType> dtype(String key) {
        return source.dtype(key).map(dtype -> dtype.isFloatingPoint() ? to : dtype);
    }

    @Override
    public Tensor read(String key) throws IOException {
        Tensor stored = source.read(key);
        if (!stored.dtype().isFloatingPoint() || stored.dtype() == to) {
            return stored;
        }
        Tensor cast = stored.to(to);
        if (infinities(cast) > infinities(stored)) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "%s: %s has numbers that are too large for %s; take bfloat16 or"
                                    + " float32",
                            name(),
                            key,
                            to));
        }
        return cast;
    }

    private static long infinities(Tensor tensor) {
        return tensor.elements() - tensor.isFinite().sum().itemLong();
    }
}
