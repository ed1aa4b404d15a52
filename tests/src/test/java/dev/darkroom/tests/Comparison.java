package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/**
 * Compares tensors with those of an {@code expected.safetensors}, and keeps the largest difference.
 */
final class Comparison implements AutoCloseable {
    /** Relative to the largest magnitude of the expected tensor, in float32. */
    static final double BOUND = 1e-4;

    private final Safetensors expected;
    private final Set<String> open;
    private String worst = "";
    private double largest;
    private int compared;

    Comparison(Path file) throws IOException {
        expected = Safetensors.open(file, LoadMode.READ);
        open = new TreeSet<>(expected.names());
    }

    boolean expects(String name) {
        return expected.names().contains(name);
    }

    /** The names of expected tensors that begin so. */
    List<String> namesBeginning(String prefix) {
        return expected.names().stream().filter(name -> name.startsWith(prefix)).toList();
    }

    /** One of the expected tensors, which an input may be; it counts as compared. */
    Tensor input(String name) throws IOException {
        open.remove(name);
        return expected.tensor(name);
    }

    /** Counts the tensors whose names begin so as compared: they are of what Darkroom lacks. */
    void leaveOut(String prefix) {
        open.removeIf(name -> name.startsWith(prefix));
    }

    void compare(String name, Tensor actual) {
        try (var scope = TensorScope.open()) {
            Tensor reference = expected.tensor(name);
            assertEquals(reference.shape(), actual.shape(), name);
            Tensor difference = reference.to(DType.FLOAT64).minus(actual.to(DType.FLOAT64)).abs();
            double scale = reference.to(DType.FLOAT64).abs().max().item();
            double relative = difference.max().item() / (scale == 0 ? 1 : scale);
            assertTrue(relative <= BOUND, () -> name + " differs by " + relative);
            if (relative >= largest) {
                largest = relative;
                worst = name;
            }
            compared++;
            open.remove(name);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** A line of the table. @throws AssertionError if an expected tensor was not compared */
    String report(String caseName) {
        assertTrue(open.isEmpty(), () -> "not compared: " + open);
        return String.format(
                Locale.ROOT,
                "%-16s %3d tensors, largest difference %.1e (%s)",
                caseName,
                compared,
                largest,
                worst);
    }

    @Override
    public void close() throws IOException {
        expected.close();
    }
}
