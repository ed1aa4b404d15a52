package dev.darkroom.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** Tensors that the reference implementation computed, and what they are compared with. */
public final class Golden implements AutoCloseable {
    private static final Path TESTS = Path.of(System.getProperty("basedir", "."), "..", "tests");

    private final Safetensors file;
    private final String prefix;

    private Golden(Path path, String prefix) throws IOException {
        file = Safetensors.open(path, LoadMode.MAPPED);
        this.prefix = prefix;
    }

    /** One model's tensors of those that {@code tests/oracle/networks.py} made. */
    public static Golden network(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/networks.safetensors"), name + ".");
    }

    /** One model's tensors of those that {@code tests/oracle/unet.py} made. */
    public static Golden unet(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/unet.safetensors"), name + ".");
    }

    /** One model's tensors of those that {@code tests/oracle/pixels.py} made. */
    public static Golden pixels(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/pixels.safetensors"), name + ".");
    }

    /** One objective's tensors of those that {@code tests/oracle/distillation.py} made. */
    public static Golden distillation(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/distillation.safetensors"), name + ".");
    }

    /** One objective's tensors of those that {@code tests/oracle/objectives.py} made. */
    public static Golden objective(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/objectives.safetensors"), name + ".");
    }

    /** One model's tensors of those that {@code tests/oracle/guidance.py} made. */
    public static Golden guidance(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle/guidance.safetensors"), name + ".");
    }

    /** A file of {@code tests/oracle}. */
    public static Golden file(String name) throws IOException {
        return new Golden(TESTS.resolve("oracle").resolve(name), "");
    }

    /** What a reference case expects. */
    public static Golden ofCase(String name) throws IOException {
        return new Golden(TESTS.resolve("cases").resolve(name).resolve("expected.safetensors"), "");
    }

    /** A part of a reference case's checkpoint. */
    public static Path part(String name, String part) {
        return TESTS.resolve("cases").resolve(name).resolve("model").resolve(part);
    }

    /** A tensor, in the open scope. */
    public Tensor get(String key) throws IOException {
        return file.tensor(prefix + key);
    }

    /** Whether there is a tensor. */
    public boolean has(String key) {
        return file.names().contains(prefix + key);
    }

    /** The weights of a model that came with them; they live as long as the open scope. */
    public WeightSource weights() throws IOException {
        var tensors = new LinkedHashMap<String, Tensor>();
        String start = prefix + "weights.";
        for (String name : file.names()) {
            if (name.startsWith(start)) {
                tensors.put(name.substring(start.length()), file.tensor(name));
            }
        }
        return WeightSource.of(prefix, tensors);
    }

    /**
     * Makes a network in float32 with the weights of {@link #formula}.
     *
     * @param constructor calls the network's
     */
    public static <M extends Module> M network(Function<Weights, M> constructor)
            throws IOException {
        return Weights.load(
                formula(Weights.declared(constructor)), DType.FLOAT32, Device.CPU, constructor);
    }

    /**
     * The weights that {@code tests/oracle/unet.py} gives its models by a formula; they live as
     * long as the open scope.
     *
     * @param declared the shapes that a network has, by key
     */
    public static WeightSource formula(Map<String, Shape> declared) {
        var tensors = new LinkedHashMap<String, Tensor>();
        declared.forEach(
                (key, shape) -> {
                    int start = key.chars().sum();
                    boolean norm = key.contains("norm") && key.endsWith("weight");
                    var values = new float[Math.toIntExact(shape.elements())];
                    for (int i = 0; i < values.length; i++) {
                        double wild = Math.sin((i + start) * 12.9898) * 43758.5453;
                        double even = (wild - Math.floor(wild) - 0.5) * 0.866;
                        values[i] = (float) (even + (norm ? 1 : 0));
                    }
                    tensors.put(key, Tensor.copyOf(values, shape.toArray()));
                });
        return WeightSource.of("formula", tensors);
    }

    /** Holds a tensor against the one of a key. */
    public void assertClose(String key, Tensor actual, double bound) throws IOException {
        assertClose(prefix + key, get(key), actual, bound);
    }

    /**
     * Fails unless the largest difference is within the bound.
     *
     * @param bound relative to the largest magnitude of the expected tensor
     */
    public static void assertClose(String name, Tensor expected, Tensor actual, double bound) {
        assertEquals(expected.shape(), actual.shape(), name);
        double difference = relativeDifference(expected, actual);
        assertTrue(difference <= bound, () -> name + " differs by " + difference);
    }

    /** The largest difference, relative to the largest magnitude of the expected tensor. */
    public static double relativeDifference(Tensor expected, Tensor actual) {
        try (var scope = TensorScope.open()) {
            var wide = expected.to(dev.darkroom.runtime.DType.FLOAT64);
            var difference = wide.minus(actual.to(dev.darkroom.runtime.DType.FLOAT64)).abs().max();
            return difference.item() / wide.abs().max().item();
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
