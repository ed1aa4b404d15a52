package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * A path in the tree of a network's parameter names, under which constructors declare parameters.
 * {@link #load} and {@link #random} make a network in two steps: the constructors run and declare
 * everything, which is checked as a whole; then the parameters get their values. So nothing is read
 * or allocated for a network that does not fit, and no {@link Parameter} has a value inside a
 * constructor.
 *
 * <pre>{@code
 * var vae = Weights.load(source, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, config));
 * }</pre>
 */
public final class Weights {
    /** The path of what is inside of a numbered module. */
    private static final Pattern IN_A_BLOCK = Pattern.compile("(^|\\.)\\d+\\.");

    private final Declarations declarations;
    private final @Nullable Weights parent;
    private final String path;
    private final @Nullable DType avoided;
    private final boolean whole;
    private @Nullable Module owner;

    /** Makes the root of a network. */
    Weights(Declarations declarations) {
        this(declarations, null, "", null, false);
    }

    private Weights(
            Declarations declarations,
            @Nullable Weights parent,
            String path,
            @Nullable DType avoided,
            boolean whole) {
        this.declarations = declarations;
        this.parent = parent;
        this.path = path;
        this.avoided = avoided;
        this.whole = whole;
    }

    // ---- Making networks ----

    /**
     * Makes a network from a checkpoint, strictly: as {@link #load(WeightSource, DType, Device,
     * Warnings, Function)} with {@link Warnings#strict}.
     *
     * @throws WeightsException if the checkpoint does not fit, or has other tensors too
     * @throws IOException if it can't be read
     */
    public static <M extends Module> M load(
            WeightSource source, @Nullable DType dtype, Device device, Function<Weights, M> network)
            throws IOException {
        return load(source, dtype, device, Warnings.strict(), network);
    }

    /**
     * Makes a network from a checkpoint: each parameter is there with the shape it was declared
     * with. Tensors that already have the type and the device are used in place. float8 weights are
     * multiplied by the scales that the checkpoint has for them ({@code scale_weight} or {@code
     * weight_scale}, of the matrix or of each row).
     *
     * <p>A checkpoint may have other tensors. Those that the network {@linkplain #ignore ignores},
     * those without elements and the marker {@code scaled_fp8} pass silently; of all others there
     * is one warning, or an error if the warnings are strict.
     *
     * @param dtype of floating-point parameters; null to keep each as it is stored
     * @param network calls the constructor
     * @throws WeightsException if the checkpoint does not fit
     * @throws IOException if it can't be read
     * @throws dev.darkroom.runtime.InsufficientMemoryException if its parameters have to be cast
     *     and there is not enough memory for the copies
     */
    public static <M extends Module> M load(
            WeightSource source,
            @Nullable DType dtype,
            Device device,
            Warnings warnings,
            Function<Weights, M> network)
            throws IOException {
        var declarations = new Declarations(source, dtype, device);
        M loaded = declarations.declare(network);
        declarations.check(source, Declarations.name(loaded), warnings);
        declarations.requireMemory(Declarations.name(loaded));
        declarations.fill(declarations.from(source, LinearFormat.COMPUTED));
        return loaded;
    }

    /**
     * Makes a network with randomly initialised parameters, for training and benchmarks.
     *
     * @param seed of the generator; parameters are sampled in the order of declaration
     * @throws dev.darkroom.runtime.InsufficientMemoryException if there is not enough memory
     */
    public static <M extends Module> M random(
            long seed, DType dtype, Device device, Function<Weights, M> network) {
        Objects.requireNonNull(dtype, "dtype");
        try (var generator = new Generator(seed)) {
            var declarations = new Declarations(null, dtype, device);
            M made = declarations.declare(network);
            declarations.requireMemory(Declarations.name(made));
            declarations.fill(declarations.random(generator));
            return made;
        }
    }

    /**
     * Returns the parameters and buffers that a network has in a checkpoint, by key, in the order
     * of declaration. Nothing is read or allocated, however large the network is.
     *
     * @param network calls the constructor
     */
    public static Map<String, Shape> declared(Function<Weights, ? extends Module> network) {
        var declarations = new Declarations(null, null, Device.CPU);
        var _ = network.apply(new Weights(declarations));
        return declarations.shapes();
    }

    // ---- Paths ----

    /**
     * Goes down to a name below this path.
     *
     * @param name as in the checkpoint; dots go down several levels
     */
    public Weights sub(String name) {
        return new Weights(declarations, this, key(name), avoided, whole);
    }

    /** Goes down to a numbered element of a list below this path, such as {@code blocks.3}. */
    public Weights sub(String name, int index) {
        Objects.requireNonNull(name, "name");
        return sub(name + "." + index);
    }

    /** Makes modules numbered from 0 below a name, such as {@code blocks.0}, {@code blocks.1} … */
    public <T> List<T> list(String name, int count, Function<Weights, T> each) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(each, "each");
        return IntStream.range(0, count).mapToObj(i -> each.apply(sub(name, i))).toList();
    }

    /**
     * Returns this path, with parameters that are float32 where the network is of a type that they
     * would overflow in.
     *
     * @param avoided that type
     */
    public Weights inFloat32InsteadOf(DType avoided) {
        return new Weights(
                declarations, this, path, Objects.requireNonNull(avoided, "avoided"), whole);
    }

    /**
     * Returns this path, with linear layers whose weights are never kept in fewer bits than are
     * computed with: see {@link LinearFormat}.
     */
    public Weights keptWhole() {
        return new Weights(declarations, this, path, avoided, true);
    }

    /** Returns the path's name from the root of the network; empty at the root. */
    public String path() {
        return path;
    }

    private String key(String name) {
        if (name.isEmpty()) {
            throw new IllegalArgumentException("a name below " + path + " can't be empty");
        }
        return path.isEmpty() ? name : path + "." + name;
    }

    // ---- Declaring ----

    /**
     * Declares a trained parameter of the module at this path, or of the nearest one above.
     *
     * @param init its values in a network that is not read from a file
     * @throws IllegalStateException if it is declared already, or there is no module around
     */
    public Parameter parameter(String name, Shape shape, Init init) {
        return declare(name, shape, init, false, false);
    }

    /** Declares the weight of a linear layer, which {@link LinearFormat} is about. */
    Parameter matrix(String name, Shape shape, Init init) {
        return declare(name, shape, init, false, !whole && IN_A_BLOCK.matcher(path).find());
    }

    /** Declares a buffer: it is in the checkpoint but not trained. */
    public Parameter buffer(String name, Shape shape, Init init) {
        return declare(name, shape, init, true, false);
    }

    private Parameter declare(
            String name, Shape shape, Init init, boolean buffer, boolean narrowable) {
        Objects.requireNonNull(shape, "shape");
        Objects.requireNonNull(init, "init");
        var parameter = new Parameter(key(name), shape, buffer, avoided, narrowable);
        nearestOwner("declare " + name).add(parameter);
        declarations.add(parameter, init);
        return parameter;
    }

    /**
     * Gives the module a buffer that is computed and not in the checkpoint. It is cast and moved
     * like the parameters, and closed with them.
     *
     * @param value computes it, once the network fits its checkpoint; taken over
     */
    public Parameter constant(String name, Shape shape, Supplier<Tensor> value) {
        Objects.requireNonNull(shape, "shape");
        Objects.requireNonNull(value, "value");
        var parameter = new Parameter(key(name), shape, true, avoided, false);
        parameter.constant();
        nearestOwner("declare " + name).add(parameter);
        declarations.addConstant(parameter, value);
        return parameter;
    }

    /**
     * Returns whether the checkpoint has a tensor of this name, for parameters that some
     * checkpoints lack. Always false for randomly initialised networks.
     */
    public boolean has(String name) {
        return declarations.has(key(name));
    }

    /**
     * Allows the checkpoint to have tensors that the network does not use: what conversions and
     * training are known to leave in files of its class.
     *
     * @param names tensors' names; a {@code *} stands for any characters, dots too
     */
    public void ignore(String... names) {
        for (String name : names) {
            declarations.ignore(key(name));
        }
    }

    // ---- The tree ----

    /** Makes a module the one at this path; each calls it as it is made. */
    void own(Module module) {
        Weights at = this;
        while (at != null && at.owner == null) {
            at = at.parent;
        }
        if (at != null && at.owner != null) {
            at.owner.add(module);
        }
        owner = module;
    }

    private Module nearestOwner(String action) {
        for (Weights at = this; at != null; at = at.parent) {
            if (at.owner != null) {
                return at.owner;
            }
        }
        throw new IllegalStateException(
                "only a module can "
                        + action
                        + "; call super(w) with the weights that its constructor is given");
    }
}
