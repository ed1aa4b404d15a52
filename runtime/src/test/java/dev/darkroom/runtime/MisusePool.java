package dev.darkroom.runtime;

import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.LayerNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.RmsNorm;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Muon;
import dev.darkroom.runtime.optim.Optimizers;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.optim.ParameterGroups;
import dev.darkroom.runtime.safetensors.Inspection;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/** What the threads of {@link Misuse} use, change and close together. */
final class MisusePool implements AutoCloseable {
    private static final long[][] SHAPES = {
        {2, 4}, {4}, {1, 4, 4, 4}, {2, 4, 4}, {4, 4}, {}, {0}, {8, 1}, {4, 4, 3, 3}
    };

    private static final Attention.Keys KEYS =
            new Attention.Keys("q", "k", "v", "out", "norm_q", "norm_k");

    /** A network with one layer of each kind. */
    static final class Net extends Module {
        final List<Module> layers;

        Net(Weights w) {
            super(w);
            layers =
                    List.of(
                            new Linear(w.sub("linear"), 4, 4, true),
                            new Conv2d(w.sub("conv"), 4, 4, 3, 1),
                            new GroupNorm(w.sub("group"), 2, 4, 1e-5),
                            new LayerNorm(w.sub("layer"), 4, 1e-5, true),
                            new RmsNorm(w.sub("rms"), 4, 1e-5),
                            new Embedding(w.sub("embedding"), 4, 4),
                            new Attention(
                                    w.sub("attention"),
                                    Attention.Sizes.self(4, 2, true),
                                    KEYS,
                                    (at, width) -> new RmsNorm(at, width, 1e-6)::forward));
            w.buffer("table", Shape.of(4), Init.ONES);
        }
    }

    private interface Failing {
        void run() throws Exception;
    }

    /** A network that lets others declare what is in it. */
    static final class Host extends Module {
        Host(Weights w, Consumer<Weights> guest) {
            super(w);
            guest.accept(w.sub("guest"));
        }
    }

    private final List<Object> objects = new ArrayList<>();
    private final List<AutoCloseable> closed = new ArrayList<>();
    private final AtomicReferenceArray<Tensor> tensors = new AtomicReferenceArray<>(40);

    /** Segments of shared tensors and of {@link #arenas}, also of those that are closed. */
    final AtomicReferenceArray<MemorySegment> segments = new AtomicReferenceArray<>(16);

    final AtomicReferenceArray<Arena> arenas = new AtomicReferenceArray<>(8);
    final Path folder;
    final Path weights;

    MisusePool(Path folder, RandomGenerator random) throws IOException {
        this.folder = folder;
        weights = folder.resolve("model.safetensors");
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < tensors.length(); i++) {
                tensors.set(i, TensorScope.detach(fresh(random)));
            }
        }
        for (int i = 0; i < arenas.length(); i++) {
            renewArena(i);
        }
        for (int i = 0; i < 3; i++) {
            var net = Weights.random(i, DType.FLOAT32, Device.CPU, Net::new);
            var half = Weights.random(i, DType.BFLOAT16, Device.CPU, Net::new);
            own(net, half);
            net.train();
            objects.addAll(net.layers);
            objects.addAll(net.parameters().values());
            objects.add(ParameterGroups.of(net));
            ParameterGroup group = ParameterGroup.of(net, 1e-3, 0.1);
            objects.add(group);
            var matrices = new ParameterGroup("m", net.matrices(), 1e-3, 0.1);
            half.train();
            var adamw = new AdamW(List.of(group), AdamW.Options.DEFAULTS);
            var muon = new Muon(List.of(matrices), Muon.Options.DEFAULTS);
            own(
                    adamw,
                    muon,
                    Optimizers.together(List.of(adamw, muon)),
                    new MasterWeights(
                            List.of(ParameterGroup.of(half, 1e-3, 0)),
                            groups -> new AdamW(groups, AdamW.Options.DEFAULTS)),
                    new Ema(net, Ema.Options.DEFAULTS),
                    new Checkpointing(),
                    new Generator(i),
                    Parameter.of("free", Tensor.ones(DType.FLOAT32, 4)));
            if (!Files.exists(weights)) {
                SafetensorsWriter.write(weights, net.state(), Map.of("format", "pt"));
                Files.writeString(folder.resolve("broken.safetensors"), "no header");
            }
            var file = Safetensors.open(weights, LoadMode.values()[i % 2]);
            own(file);
            objects.add(file.weights());
            objects.addAll(file.headers());
            objects.add(Warnings.collected());
        }
        objects.add(WeightSource.of("none", Map.of()));
        objects.add(SafetensorsHeader.read(weights));
        objects.add(Inspection.of(weights));
        objects.add(new WeightFiles(weights, false));
        objects.add(Memory.stats(Device.CPU));
        objects.add(MemoryBudget.current());
        objects.add(Processor.current());
        objects.add(Diagnosis.loaded());
        objects.add(Kernels.current());
        objects.add(Mode.NO_GRAD);
        objects.add(Mode.GRAD);
        objects.add(Mode.INFERENCE);
        objects.add(Mode.GRAD.withAutocast(Device.Type.CPU, DType.BFLOAT16));
        objects.add(AdamW.Options.DEFAULTS);
        objects.add(Muon.Options.DEFAULTS);
        objects.add(Ema.Options.DEFAULTS);
        objects.add(Attention.Sizes.self(4, 2, true));
        objects.add(KEYS);
        objects.add(Init.ONES);
        objects.add(Init.normal(1));
        objects.addAll(SafetensorsHeader.read(weights).tensors().values());
        addExceptions();
        objects.add(TensorScope.open()); // another thread's, for the threads
        objects.add(Mode.NO_GRAD.enter());
    }

    private void addExceptions() {
        List<Failing> failing =
                List.of(
                        () -> Safetensors.open(folder.resolve("broken.safetensors"), LoadMode.READ),
                        () ->
                                Weights.load(
                                        WeightSource.of("none", Map.of()),
                                        null,
                                        Device.CPU,
                                        Net::new),
                        () -> new MemoryBudget(0, "nothing").require(1, "all"));
        for (Failing each : failing) {
            try {
                each.run();
            } catch (Exception e) {
                objects.add(e);
            }
        }
    }

    private void own(AutoCloseable... owned) {
        for (AutoCloseable each : owned) {
            objects.add(each);
            closed.add(each);
        }
    }

    /** Something of a type; null if there is nothing. */
    @Nullable Object any(Class<?> type, RandomGenerator random) {
        List<Object> fitting = objects.stream().filter(type::isInstance).toList();
        return fitting.isEmpty() ? null : fitting.get(random.nextInt(fitting.size()));
    }

    /** A tensor that other threads use, open more often than not. */
    Tensor shared(RandomGenerator random) {
        int at = random.nextInt(tensors.length());
        Tensor tensor = tensors.get(at);
        if (tensor.isClosed() && random.nextInt(4) != 0) {
            tensor = fresh(random);
            put(at, tensor);
        }
        return tensor;
    }

    /** Shares a tensor with the other threads, in place of another. */
    void share(Tensor tensor, RandomGenerator random) {
        put(random.nextInt(tensors.length()), tensor);
    }

    private void put(int at, Tensor tensor) {
        try {
            TensorScope.detach(tensor);
        } catch (IllegalStateException e) {
            return; // closed already
        }
        TensorScope.release(tensors.getAndSet(at, tensor));
    }

    /** What a new tensor is like: a type and more. */
    static int kind(RandomGenerator random) {
        return random.nextInt(12);
    }

    static long[] shape(RandomGenerator random) {
        return SHAPES[random.nextInt(SHAPES.length)];
    }

    private static Tensor fresh(RandomGenerator random) {
        return fresh(kind(random), shape(random));
    }

    /** A new tensor of the open scope, of the shape unless it is a transposed one. */
    static Tensor fresh(int kind, long[] shape) {
        return switch (kind) {
            case 0 -> Tensor.randint(0, 4, Shape.of(shape), null, DType.INT64);
            case 1 -> Tensor.ones(DType.BOOL, shape);
            case 2 -> Tensor.ones(DType.BFLOAT16, shape);
            case 3 -> Tensor.ones(DType.FLOAT64, shape);
            case 4 -> Tensor.zeros(DType.INT32, shape);
            case 5, 6 -> Tensor.ones(DType.FLOAT32, shape).requiresGrad(true);
            case 7 -> Tensor.ones(DType.FLOAT32, 4, 4).transpose(0, 1);
            default -> Tensor.ones(DType.FLOAT32, shape);
        };
    }

    /** Closes an arena under whoever uses it, and has another in its place. */
    void renewArena(int at) {
        Arena arena = Arena.ofShared();
        segments.set(at, arena.allocate(64, 8));
        Arena before = arenas.getAndSet(at, arena);
        if (before != null) {
            closeArena(before);
        }
    }

    private static void closeArena(Arena arena) {
        while (arena.scope().isAlive()) {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                Thread.yield(); // in use by a call
            }
        }
    }

    @Override
    public void close() throws Exception {
        for (int i = 0; i < tensors.length(); i++) {
            TensorScope.release(tensors.get(i));
        }
        for (AutoCloseable each : closed) {
            try {
                each.close();
            } catch (IllegalStateException e) {
                // a generator that was closed already
                if (!(each instanceof Generator)) {
                    throw e;
                }
            }
        }
        for (int i = 0; i < arenas.length(); i++) {
            closeArena(arenas.get(i));
        }
    }
}
