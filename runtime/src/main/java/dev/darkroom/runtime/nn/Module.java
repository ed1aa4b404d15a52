package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * A layer or a network: what has parameters, and modules inside that have some too. The tree builds
 * itself from the {@link Weights} that constructors pass down:
 *
 * <pre>{@code
 * final class FeedForward extends Module {
 *     private final Linear up;
 *     private final Linear down;
 *
 *     FeedForward(Weights w, long width) {
 *         super(w);
 *         up = new Linear(w.sub("net.0.proj"), width, 4 * width, true);
 *         down = new Linear(w.sub("net.2"), 4 * width, width, true);
 *     }
 *
 *     Tensor forward(Tensor x) {                       // [N,T,D]
 *         return down.forward(up.forward(x).gelu());
 *     }
 * }
 * }</pre>
 *
 * <p>A loaded module may be used by several threads at once, as long as none of them replaces
 * parameters, attaches adapters or closes it.
 */
// The field's term; whoever forgets the import is told so by the compiler.
@SuppressWarnings("JavaLangClash")
public abstract class Module implements AutoCloseable {
    private final String path;
    private final List<Parameter> parameters = new ArrayList<>();
    private final List<Module> children = new ArrayList<>();
    private boolean training;
    private Segments segments = Segments.RECORDED;
    private volatile @Nullable Deferred<?> deferred;

    /**
     * Adds itself to the tree of modules.
     *
     * @param w where its parameters come from
     */
    protected Module(Weights w) {
        path = w.path();
        w.own(this);
    }

    void add(Parameter parameter) {
        parameters.add(parameter);
    }

    void add(Module child) {
        children.add(child);
    }

    /**
     * Returns all parameters and buffers, those of the modules inside too, by their names as seen
     * from this module, in the order of declaration: first a module's own, then those of the
     * modules inside.
     */
    public final Map<String, Parameter> parameters() {
        var all = new LinkedHashMap<String, Parameter>();
        collect(path.isEmpty() ? 0 : path.length() + 1, all);
        return Collections.unmodifiableMap(all);
    }

    private void collect(int prefix, Map<String, Parameter> all) {
        for (Parameter parameter : parameters) {
            all.put(parameter.key().substring(prefix), parameter);
        }
        for (Module child : children) {
            child.collect(prefix, all);
        }
    }

    /** Returns the modules inside of a kind, by their names as seen from this one, in order. */
    public final <M extends Module> Map<String, M> modules(Class<M> kind) {
        Objects.requireNonNull(kind, "kind");
        var all = new LinkedHashMap<String, M>();
        collect(path.isEmpty() ? 0 : path.length() + 1, kind, all);
        return Collections.unmodifiableMap(all);
    }

    private <M extends Module> void collect(int prefix, Class<M> kind, Map<String, M> all) {
        for (Module child : children) {
            if (kind.isInstance(child)) {
                all.put(child.path.substring(prefix), kind.cast(child));
            }
            child.collect(prefix, kind, all);
        }
    }

    /** Returns the {@link #parameters} to train: no buffers, nothing frozen. */
    public final Map<String, Parameter> trainable() {
        var trainable = new LinkedHashMap<String, Parameter>();
        parameters()
                .forEach(
                        (name, parameter) -> {
                            if (parameter.isTrainable()) {
                                trainable.put(name, parameter);
                            }
                        });
        return Collections.unmodifiableMap(trainable);
    }

    /** Returns the weights of linear layers and the kernels of convolutions, by name. */
    public final Map<String, Parameter> matrices() {
        var matrices = new LinkedHashMap<String, Parameter>();
        collectMatrices(path.isEmpty() ? 0 : path.length() + 1, matrices);
        return Collections.unmodifiableMap(matrices);
    }

    private void collectMatrices(int prefix, Map<String, Parameter> matrices) {
        if (this instanceof Linear || this instanceof Conv2d) {
            for (Parameter parameter : parameters) {
                if (parameter.shape().rank() > 1) {
                    matrices.put(parameter.key().substring(prefix), parameter);
                }
            }
        }
        for (Module child : children) {
            child.collectMatrices(prefix, matrices);
        }
    }

    /**
     * Returns what a checkpoint holds, by the names it is loaded from: parameters and buffers, but
     * not what constructors compute. The tensors stay the module's.
     */
    public final Map<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        parameters()
                .forEach(
                        (name, parameter) -> {
                            if (!parameter.isConstant()) {
                                parameter.requireWidth("written");
                                state.put(name, parameter.value());
                            }
                        });
        return Collections.unmodifiableMap(state);
    }

    /**
     * Writes the {@link #state} to a safetensors file, which {@link Weights#load} reads.
     *
     * @throws IOException if it can't be written; a file that was there is then as before
     */
    public final void save(Path file) throws IOException {
        SafetensorsWriter.write(file, state(), Map.of("format", "pt"));
    }

    /**
     * Begins training: what is {@link #trainable} accumulates gradients under {@link Mode#GRAD}.
     */
    public final void train() {
        training(true);
    }

    /** Ends training; networks begin so. No parameter accumulates gradients. */
    public final void eval() {
        training(false);
    }

    private void training(boolean on) {
        training = on;
        parameters.forEach(parameter -> parameter.training(on));
        children.forEach(child -> child.training(on));
    }

    /** Returns whether this module is being trained. */
    public final boolean isTraining() {
        return training;
    }

    /**
     * Sets how this module, and those inside, run their blocks from now on: {@link
     * Segments#RECORDED}, as networks begin, or by a {@link Checkpointing}, whose {@code backward}
     * is then called instead of the loss's.
     */
    public final void segments(Segments segments) {
        this.segments = Objects.requireNonNull(segments, "segments");
        children.forEach(child -> child.segments(segments));
    }

    /** Returns how this module runs its blocks. */
    protected final Segments segments() {
        return segments;
    }

    /** Leaves the parameters out of training until {@link #unfreeze}; gradients flow through. */
    public final void freeze() {
        parameters().values().forEach(parameter -> parameter.frozen(true));
    }

    /** Lets the parameters be trained again. */
    public final void unfreeze() {
        parameters().values().forEach(parameter -> parameter.frozen(false));
    }

    /** Returns the bytes of all parameters, as they are kept. */
    public final long bytes() {
        return parameters().values().stream().mapToLong(Parameter::bytes).sum();
    }

    /**
     * Returns the bytes of memory that the parameters will take when they are loaded: 0 unless this
     * is a {@link Deferred} network that is not loaded now.
     */
    public final long bytesToLoad() {
        Deferred<?> later = deferred;
        return later == null ? 0 : later.bytesToLoad();
    }

    void defer(@Nullable Deferred<?> to) {
        deferred = to;
    }

    /**
     * Returns the type of the first floating-point parameter: what a network with one type computes
     * in.
     *
     * @throws IllegalStateException if there is none
     */
    public final DType dtype() {
        return anyFloating().dtype();
    }

    /**
     * Returns the device of the first floating-point parameter.
     *
     * @throws IllegalStateException if there is none
     */
    public final Device device() {
        return anyFloating().device();
    }

    private Parameter anyFloating() {
        return parameters().values().stream()
                .filter(Module::isFloating)
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalStateException(
                                        getClass().getSimpleName()
                                                + " has no floating-point parameters"));
    }

    private static boolean isFloating(Parameter parameter) {
        DType type = parameter.typeOrNull();
        return type != null && type.isFloatingPoint();
    }

    /** Casts the floating-point parameters. */
    public final void to(DType dtype) {
        Objects.requireNonNull(dtype, "dtype");
        replace(parameter -> parameter.cast(parameter.value(), dtype));
    }

    /** Moves the parameters. */
    public final void to(Device device) {
        Objects.requireNonNull(device, "device");
        replace(parameter -> parameter.value().to(device));
    }

    private void replace(Function<Parameter, Tensor> change) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            for (Parameter parameter : parameters().values()) {
                parameter.set(change.apply(parameter));
            }
        }
    }

    /** Frees the parameters, those of the modules inside too. Closing twice is allowed. */
    @Override
    public void close() {
        deferred = null;
        parameters.forEach(Parameter::close);
        children.forEach(Module::close);
    }
}
