package dev.darkroom.models.lora;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.common.WholeFile;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Low-rank adapters on the linear layers of a network (Hu et al. 2021, arXiv:2106.09685, equation
 * 3): W·x becomes W·x + strength·alpha/r·B·A·x. The network's own parameters stay as they are;
 * freeze them to train the adapters alone.
 *
 * <p>A network may have several sets of adapters, whose changes add up; {@link #close} takes one
 * set off. Adapters are switched, scaled, merged and closed while no other thread uses the network.
 *
 * <p>Files are PEFT's: a folder with {@code adapter_config.json} and {@code
 * adapter_model.safetensors}.
 */
public final class Lora implements AutoCloseable {
    private static final String CONFIG = "adapter_config.json";
    private static final String WEIGHTS = "adapter_model.safetensors";

    /** How many tensors a warning names. */
    private static final int LISTED = 5;

    private static final String PREFIX = "base_model.model.";

    /**
     * The matrices of one layer's adapter.
     *
     * @param a {@code [r,in]}
     * @param b {@code [out,r]}
     */
    private record Pair(Linear layer, Parameter a, Parameter b) {}

    /** The adapter of one layer, whose scale is that of all. */
    private final class LowRank implements Linear.Adapter {
        private final Pair pair;

        LowRank(Pair pair) {
            this.pair = pair;
        }

        @Override
        public double scale() {
            return enabled ? factor() : 0;
        }

        @Override
        public Tensor forward(Tensor x) {
            Tensor inner = Ops.linear(x.to(DType.FLOAT32), pair.a.value(), null); // [...,r]
            return Ops.linear(inner, pair.b.value(), null); // [...,out]
        }
    }

    private final LoraConfig config;
    private final Map<String, Pair> pairs;
    private final List<LowRank> adapters;
    private double strength = 1;
    private boolean enabled = true;
    private boolean merged;

    private Lora(LoraConfig config, Map<String, Pair> pairs) {
        this.config = config;
        this.pairs = pairs;
        adapters = pairs.values().stream().map(LowRank::new).toList();
        adapters.forEach(adapter -> adapter.pair.layer.attach(adapter));
    }

    // ---- Making adapters ----

    /**
     * Makes new adapters, which change nothing yet: A uniform in ±1/√in (Kaiming, a = √5), B zero.
     * float32, on the network's device.
     *
     * @param generator on the CPU
     * @throws IllegalArgumentException if no linear layer has one of the targets' names
     */
    public static Lora create(Module network, LoraConfig config, Generator generator) {
        var pairs = new LinkedHashMap<String, Pair>();
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            targets(network, config)
                    .forEach(
                            (name, layer) -> {
                                Shape shape = layer.weight().shape(); // [out,in]
                                Shape down = Shape.of(config.rank(), shape.size(1));
                                double bound = 1 / Math.sqrt(shape.size(1));
                                Tensor a =
                                        Tensor.rand(down, generator, DType.FLOAT32, Device.CPU)
                                                .times(2 * bound)
                                                .minus(bound);
                                Tensor b =
                                        Tensor.zeros(DType.FLOAT32, shape.size(0), config.rank());
                                pairs.put(name, pair(name, layer, a, b));
                            });
            return new Lora(config, pairs);
        } catch (RuntimeException | Error e) {
            close(pairs);
            throw e;
        }
    }

    /**
     * Loads adapters from a folder of PEFT's, strictly: an unknown option and a tensor without a
     * layer are errors.
     *
     * @throws IOException if it can't be read, or does not fit the network; all mismatches are
     *     named
     */
    public static Lora load(Module network, Path folder) throws IOException {
        return load(network, folder, Warnings.strict());
    }

    /**
     * Loads adapters from a folder of PEFT's.
     *
     * @param warnings collect unknown options and tensors without a layer; if they are strict,
     *     these are errors
     * @throws IOException if it can't be read, or does not fit the network; all mismatches are
     *     named
     */
    public static Lora load(Module network, Path folder, Warnings warnings) throws IOException {
        LoraConfig config = LoraConfig.read(folder.resolve(CONFIG), warnings);
        Path weights = folder.resolve(WEIGHTS);
        var pairs = new LinkedHashMap<String, Pair>();
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter();
                var file = Safetensors.open(weights, LoadMode.READ)) {
            Map<String, Linear> targets = targets(network, config);
            var expected = new LinkedHashMap<String, Shape>();
            targets.forEach(
                    (name, layer) -> {
                        Shape shape = layer.weight().shape();
                        expected.put(a(name), Shape.of(config.rank(), shape.size(1)));
                        expected.put(b(name), Shape.of(shape.size(0), config.rank()));
                    });
            requireFit(file, expected, warnings);
            for (var target : targets.entrySet()) {
                String name = target.getKey();
                Tensor a = file.tensor(a(name)).to(DType.FLOAT32);
                Tensor b = file.tensor(b(name)).to(DType.FLOAT32);
                pairs.put(name, pair(name, target.getValue(), a, b));
            }
            return new Lora(config, pairs);
        } catch (IOException | RuntimeException | Error e) {
            close(pairs);
            if (e instanceof IllegalArgumentException) {
                throw new IOException(folder + ": " + e.getMessage(), e);
            }
            throw e;
        }
    }

    private static void requireFit(Safetensors file, Map<String, Shape> expected, Warnings warnings)
            throws IOException {
        var wrong = new TreeSet<String>();
        var extra = new TreeSet<String>();
        for (String name : file.names()) {
            Shape shape = expected.get(name);
            if (shape == null) {
                extra.add(name);
            } else if (!file.info(name).shape().equals(shape)) {
                wrong.add(name + " has shape " + file.info(name).shape() + ", not " + shape);
            }
        }
        for (String name : expected.keySet()) {
            if (!file.names().contains(name)) {
                wrong.add("missing " + name);
            }
        }
        if (!wrong.isEmpty() || warnings.isStrict()) {
            extra.forEach(name -> wrong.add("unexpected " + name));
        }
        if (!wrong.isEmpty()) {
            throw new IOException(
                    file.path() + " does not fit the network: " + String.join("; ", wrong));
        }
        if (!extra.isEmpty()) {
            String first = extra.stream().limit(LISTED).collect(Collectors.joining(", "));
            int more = extra.size() - LISTED;
            warnings.add(
                    file.path()
                            + " has tensors for layers that are not adapted: "
                            + first
                            + (more > 0 ? " and " + more + " more" : ""));
        }
    }

    private static Map<String, Linear> targets(Module network, LoraConfig config) {
        Map<String, Linear> layers = network.modules(Linear.class);
        var targets = new LinkedHashMap<String, Linear>();
        layers.forEach(
                (name, layer) -> {
                    if (config.matches(name)) {
                        targets.put(name, layer);
                    }
                });
        if (targets.isEmpty()) {
            throw new IllegalArgumentException(
                    "no linear layer is called "
                            + String.join(" or ", config.targets())
                            + "; the network has "
                            + String.join(", ", layers.keySet()));
        }
        return targets;
    }

    private static Pair pair(String name, Linear layer, Tensor a, Tensor b) {
        Device device = layer.weight().device();
        Parameter down = Parameter.of(a(name), a.to(device).copy());
        try {
            return new Pair(layer, down, Parameter.of(b(name), b.to(device).copy()));
        } catch (RuntimeException | Error e) {
            down.close();
            throw e;
        }
    }

    private static void close(Map<String, Pair> pairs) {
        pairs.values()
                .forEach(
                        pair -> {
                            pair.a.close();
                            pair.b.close();
                        });
    }

    private static String a(String name) {
        return PREFIX + name + ".lora_A.weight";
    }

    private static String b(String name) {
        return PREFIX + name + ".lora_B.weight";
    }

    // ---- Using them ----

    /** The config that the adapters were made with. */
    public LoraConfig config() {
        return config;
    }

    /** All matrices A and B, by PEFT's names. */
    public Map<String, Parameter> parameters() {
        var all = new LinkedHashMap<String, Parameter>();
        for (Pair pair : pairs.values()) {
            all.put(pair.a.key(), pair.a);
            all.put(pair.b.key(), pair.b);
        }
        return Collections.unmodifiableMap(all);
    }

    /** Begins or ends collecting gradients in the adapters. */
    public void train(boolean on) {
        parameters().values().forEach(parameter -> parameter.value().requiresGrad(on));
    }

    /** Switches the adapters on or off; off, the network is what it was. */
    public void enable(boolean on) {
        requireUnmerged("switched");
        enabled = on;
    }

    /**
     * Sets the strength of the adapters: a factor of their changes beside the config's alpha/r. It
     * is 1 at first; at 0 the network is what it was.
     *
     * @throws IllegalArgumentException if it is not a finite number
     */
    public void strength(double strength) {
        requireUnmerged("scaled");
        if (!Double.isFinite(strength)) {
            throw new IllegalArgumentException(
                    "the strength of adapters must be finite, not " + strength);
        }
        this.strength = strength;
    }

    /** The strength of the adapters. */
    public double strength() {
        return strength;
    }

    private double factor() {
        return config.scale() * strength;
    }

    /**
     * Switches the adapters off until the returned object is closed: the network without them is
     * the teacher of the one with them.
     *
     * <pre>{@code
     * try (var off = lora.disabled()) {
     *     predicted = network.forward(x, timesteps);
     * }
     * }</pre>
     */
    public Disabled disabled() {
        var before = new Disabled(this, enabled);
        enable(false);
        return before;
    }

    /** Adapters that are off. */
    public static final class Disabled implements AutoCloseable {
        private final Lora lora;
        private final boolean enabled;

        private Disabled(Lora lora, boolean enabled) {
            this.lora = lora;
            this.enabled = enabled;
        }

        /** Switches the adapters on again if they were on. */
        @Override
        public void close() {
            lora.enable(enabled);
        }
    }

    /**
     * Adds the adapters to the network's weights, so that they cost nothing more. Weights that a
     * file is mapped to are replaced, not written to.
     *
     * @throws IllegalStateException if weights are kept in fewer bits, or freed between two uses of
     *     the network; the adapters stay beside them
     */
    public void merge() {
        requireUnmerged("merged again");
        for (Pair pair : pairs.values()) {
            if (pair.layer.weight().isNarrow()) {
                throw new IllegalStateException(
                        pair.layer.weight().key()
                                + " is kept in fewer bits than are computed with, so that nothing"
                                + " can be added to it; leave the adapters beside it");
            }
        }
        addToWeights(factor());
        enable(false);
        merged = true;
    }

    /** Takes merged adapters out of the weights again, up to rounding, and switches them on. */
    public void unmerge() {
        if (!merged) {
            throw new IllegalStateException("these adapters are not merged");
        }
        addToWeights(-factor());
        merged = false;
        enable(true);
    }

    private void addToWeights(double scale) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            for (Pair pair : pairs.values()) {
                Parameter weight = pair.layer.weight();
                Tensor delta = pair.b.value().matmul(pair.a.value()).times(scale); // [out,in]
                Tensor sum = weight.value().to(DType.FLOAT32).plus(delta);
                weight.set(sum.to(weight.dtype()));
            }
        }
    }

    private void requireUnmerged(String what) {
        if (merged) {
            throw new IllegalStateException(
                    "merged adapters can't be " + what + "; call unmerge() first");
        }
    }

    /**
     * Writes the adapters as PEFT does.
     *
     * @param folder made if it is missing
     */
    public void save(Path folder) throws IOException {
        Files.createDirectories(folder);
        var tensors = new LinkedHashMap<String, Tensor>();
        parameters().forEach((name, parameter) -> tensors.put(name, parameter.value()));
        SafetensorsWriter.write(folder.resolve(WEIGHTS), tensors, Map.of("format", "pt"));
        var json = new LinkedHashMap<String, Object>();
        json.put("peft_type", "LORA");
        json.put("r", config.rank());
        json.put("lora_alpha", config.alpha());
        json.put("target_modules", config.targets());
        json.put("lora_dropout", 0.0);
        json.put("bias", "none");
        json.put("fan_in_fan_out", false);
        json.put("inference_mode", true);
        json.put("init_lora_weights", true);
        byte[] text =
                JsonMapper.builder()
                        .build()
                        .writerWithDefaultPrettyPrinter()
                        .writeValueAsBytes(json);
        WholeFile.write(folder.resolve(CONFIG), temporary -> Files.write(temporary, text));
    }

    /** Takes the adapters off the network and frees them; merged ones stay in its weights. */
    @Override
    public void close() {
        adapters.forEach(adapter -> adapter.pair.layer.detach(adapter));
        close(pairs);
    }
}
