package dev.darkroom.runtime;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.cache.Cache;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;

/**
 * Measures which way is faster, once for a machine, a libtorch and its limits: the answer is kept
 * in the {@link Cache}, so that all runs have the same.
 */
final class KernelMeasurement {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.kernels");
    private static final int ROUNDS = 3;

    /** How much slower the first round is where there is no need for more. */
    private static final double HOPELESS = 20;

    private static final String FILE = "way";

    private KernelMeasurement() {}

    static Way way(MachineKernels machine, DType type, Work work) {
        return kept(key(machine), type, work, KernelMeasurement::measure);
    }

    /**
     * The kept answer, or a new one that is kept from now on. The number of native threads makes no
     * other key: both ways divide their work.
     *
     * @param key of the machine; part of a file's name
     */
    static Way kept(String key, DType type, Work work, BiFunction<DType, Work, Way> measure) {
        String name = (type + "-" + work).toLowerCase(Locale.ROOT);
        Path folder = Path.of("kernels", key, name);
        try {
            Path file =
                    Cache.folder(
                                    folder,
                                    to ->
                                            Files.writeString(
                                                    to.resolve(FILE),
                                                    measure.apply(type, work).name()))
                            .resolve(FILE);
            return read(file);
        } catch (IOException | UncheckedIOException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "how fast "
                            + type
                            + " is here can't be kept ("
                            + e.getMessage()
                            + "): it computes in float32");
            return Way.FLOAT32;
        }
    }

    /** Reads the answer that is in the file: another process may have been first. */
    private static Way read(Path file) throws IOException {
        String text = Files.readString(file).strip();
        try {
            return Way.valueOf(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalStateException(
                    file + " holds no way of computing; delete its folder to measure again", e);
        }
    }

    /** Returns a short hash of what the answer depends on. */
    private static String key(MachineKernels machine) {
        var loaded = Diagnosis.loaded();
        String all =
                String.join(
                        "\n",
                        machine.toString(),
                        loaded.version(),
                        loaded.settings()); // ATen's limit too
        return Sha256.of(all.getBytes(StandardCharsets.UTF_8)).substring(0, 16);
    }

    private static Way measure(DType type, Work work) {
        boolean recorded = work == Work.ATTENTION_GRADIENTS;
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.withGradients(recorded).enter();
                var generator = new Generator(0)) {
            List<Tensor> inputs = new ArrayList<>();
            for (long[] shape : shapes(work)) {
                Tensor input = Tensor.randn(generator, shape).to(type).detach();
                inputs.add(input.requiresGrad(recorded));
            }
            double cast = seconds(() -> round(work, inputs, DType.FLOAT32), Double.MAX_VALUE);
            double own = seconds(() -> round(work, inputs, type), HOPELESS * cast);
            return own <= cast ? Way.OWN : Way.FLOAT32;
        }
    }

    private static List<long[]> shapes(Work work) {
        return switch (work) {
            case PRODUCTS -> List.of(new long[] {512, 512}, new long[] {512, 512});
            case CONVOLUTIONS -> List.of(new long[] {1, 64, 64, 64}, new long[] {64, 64, 3, 3});
            case ATTENTION, ATTENTION_GRADIENTS ->
                    Collections.nCopies(3, new long[] {1, 4, 256, 64});
        };
    }

    /** Computes in a type what has another, and gradients if they are wanted. */
    private static void round(Work work, List<Tensor> inputs, DType in) {
        List<Tensor> cast = inputs.stream().map(each -> each.to(in)).toList();
        Tensor result = compute(work, cast).to(inputs.getFirst().dtype());
        if (work == Work.ATTENTION_GRADIENTS) {
            Gradients.of(List.of(result), List.of(result.detach()), inputs, false);
        }
    }

    private static Tensor compute(Work work, List<Tensor> inputs) {
        return switch (work) {
            case PRODUCTS -> Aten.tensor("matmul", inputs.get(0), inputs.get(1));
            case CONVOLUTIONS -> Aten.tensor("conv2d", inputs.get(0), inputs.get(1));
            case ATTENTION, ATTENTION_GRADIENTS ->
                    Aten.tensor(
                            "scaled_dot_product_attention",
                            inputs.get(0),
                            inputs.get(1),
                            inputs.get(2));
        };
    }

    /**
     * Returns the time of the best of a few rounds after one that does not count.
     *
     * @param limit on the first one, above which it is the answer
     */
    private static double seconds(Runnable work, double limit) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i <= ROUNDS; i++) {
            long begin = System.nanoTime();
            try (var scope = TensorScope.open()) {
                work.run();
            }
            double seconds = (System.nanoTime() - begin) / 1e9;
            if (i == 0 && seconds > limit) {
                return seconds;
            }
            best = i == 0 ? best : Math.min(best, seconds);
        }
        return best;
    }
}
