package dev.darkroom.tests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.Churn;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.diffusers.SchedulerArguments;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.DoubleStream;

/**
 * One sampler configuration of a case folder of kind {@code schedulers}, run on that case's
 * analytic network and compared with what diffusers recorded: timesteps, sigmas, the scale of the
 * start, the latents after every step and the noise in the order in which it was drawn.
 */
final class SchedulerCase {
    /**
     * A tensor that was compared.
     *
     * @param key its name in {@code expected.safetensors}
     * @param difference the largest, relative to the tensor's largest magnitude
     */
    record Comparison(String key, double difference) {}

    /** The arguments of diffusers' {@code set_timesteps} and {@code step} that Darkroom has. */
    private static final Set<String> ARGUMENTS =
            Set.of(
                    "mu",
                    "eta",
                    "use_clipped_model_output",
                    "sigmas",
                    "timesteps",
                    "strength",
                    "order",
                    "s_churn",
                    "s_tmin",
                    "s_tmax",
                    "s_noise");

    private static final String LOG_LINEAR = "log_linear";

    private final JsonNode description;
    private final Safetensors expected;
    private final List<Comparison> comparisons = new ArrayList<>();
    private int draws;
    private int steps;

    private SchedulerCase(JsonNode description, Safetensors expected) {
        this.description = description;
        this.expected = expected;
    }

    /** The configurations of a folder, in order. */
    static List<SchedulerCase> all(Path folder, Safetensors expected) throws IOException {
        List<SchedulerCase> cases = new ArrayList<>();
        for (JsonNode each :
                new ObjectMapper().readTree(folder.resolve("case.json").toFile()).get("cases")) {
            cases.add(new SchedulerCase(each, expected));
        }
        return cases;
    }

    static Safetensors expected(Path folder) throws IOException {
        return Safetensors.open(folder.resolve("expected.safetensors"), LoadMode.READ);
    }

    /** Such as {@code 03 DDIMScheduler, 10 steps}. */
    @Override
    public String toString() {
        return "%s %s, %d steps"
                .formatted(
                        key(),
                        description.get("scheduler").textValue(),
                        description.get("steps").intValue());
    }

    /** What the names of its tensors begin with. */
    String key() {
        return description.get("key").textValue();
    }

    /** Whether Darkroom has the scheduler's class. */
    boolean isOfKnownClass() {
        return Scheduler.schedulers().contains(description.get("scheduler").textValue());
    }

    /**
     * Why Darkroom refuses a configuration of a class that it has, or an argument that it lacks;
     * null if it does neither.
     */
    @Nullable String refusal() throws IOException {
        for (String call : List.of("call", "step")) {
            for (var names = description.path(call).fieldNames(); names.hasNext(); ) {
                String name = names.next();
                if (!ARGUMENTS.contains(name)) {
                    return "no argument " + name;
                }
            }
        }
        try {
            plan(scheduler());
            return null;
        } catch (ConfigException | IllegalArgumentException e) {
            return e.getMessage();
        }
    }

    /** Runs it and compares every tensor that is recorded. */
    List<Comparison> run() throws IOException {
        try (var scope = TensorScope.open()) {
            Scheduler scheduler = scheduler();
            if (description.get("scheduler").textValue().startsWith("ScoreSde")) {
                new ScoreSdeCase(this, description, scheduler).run();
            } else {
                SamplingPlan plan = plan(scheduler);
                compareLevels(scheduler, plan);
                sample(scheduler, plan);
            }
        }
        return comparisons;
    }

    /**
     * What rounding to float32 may add up to. Machines differ by as much, and diffusers from its
     * own float64 ({@code docs/conformance.md}).
     */
    double rounding() throws IOException {
        Scheduler scheduler = scheduler();
        SamplingPlan plan = plan(scheduler);
        String name = description.get("scheduler").textValue();
        if (name.equals("UnCLIPScheduler") || name.equals("ScoreSdeVpScheduler")) {
            double sigma = plan.evaluations().getLast().sigma();
            return 0x1p-24 / (sigma * sigma); // of 1 − ᾱ, where ᾱ is nearly 1
        }
        // Of the start, relative to data of magnitude 1 under noise of the first level's. DEIS
        // moves
        // x/alpha, in which the noise of a flow's first level is as great.
        double greatest =
                name.startsWith("DEIS") && scheduler.process().isFlow()
                        ? plan.levels().getFirst().noiseToSignal()
                        : plan.initialScale();
        return greatest * 0x1p-24;
    }

    private Scheduler scheduler() throws IOException {
        Path config = Files.createTempFile("scheduler_config", ".json");
        try {
            ObjectNode options = description.get("config").deepCopy();
            options.set("_class_name", description.get("scheduler"));
            Files.writeString(config, options.toString());
            return Scheduler.read(config);
        } finally {
            Files.delete(config);
        }
    }

    private SamplingPlan plan(Scheduler scheduler) {
        return scheduler.plan(description.get("steps").intValue(), arguments());
    }

    private SchedulerArguments arguments() {
        ObjectNode call = description.get("call").deepCopy();
        if (description.path("step") instanceof ObjectNode step) {
            call.setAll(step);
        }
        SchedulerArguments options = SchedulerArguments.NONE;
        if (call.has("mu")) {
            options = options.withMu(call.get("mu").doubleValue());
        }
        if (call.has("eta")) {
            options = options.withEta(call.get("eta").doubleValue());
        }
        if (call.has("use_clipped_model_output")) {
            options = options.withClippedNoise(true);
        }
        if (call.has("sigmas")) {
            options = options.withSigmas(numbers(call.get("sigmas")));
        }
        if (call.has("timesteps")) {
            options = options.withLevels(LevelChoice.ofTimesteps(numbers(call.get("timesteps"))));
        }
        if (call.has("strength")) {
            options = options.withStrength(call.get("strength").doubleValue());
        }
        if (call.has("order")) {
            options = options.withOrder(call.get("order").intValue());
        }
        if (call.has("s_churn")) {
            options =
                    options.withChurn(
                            new Churn(
                                    call.get("s_churn").doubleValue(),
                                    call.path("s_tmin").asDouble(0),
                                    call.path("s_tmax").asDouble(Double.POSITIVE_INFINITY),
                                    call.path("s_noise").asDouble(1)));
        }
        return options;
    }

    private static List<Double> numbers(JsonNode list) {
        List<Double> numbers = new ArrayList<>();
        list.forEach(number -> numbers.add(number.doubleValue()));
        return numbers;
    }

    private void compareLevels(Scheduler scheduler, SamplingPlan plan) throws IOException {
        List<NoiseLevel> levels = new ArrayList<>(plan.evaluations());
        boolean toTheEnd = description.get("scheduler").textValue().equals("SCMScheduler");
        compare(
                "timesteps",
                column(
                        (toTheEnd ? plan.levels() : levels)
                                .stream().mapToDouble(NoiseLevel::timestep).toArray()));
        if (recorded("sigmas")) {
            boolean inverted = description.get("config").path("invert_sigmas").asBoolean();
            boolean flow = scheduler.process().isFlow();
            var sigmas =
                    recordedLevels(plan).stream()
                            .mapToDouble(
                                    at ->
                                            inverted
                                                    ? at.alpha()
                                                    : flow ? at.sigma() : at.noiseToSignal());
            if (description.get("config").path("interpolation_type").asText().equals(LOG_LINEAR)) {
                sigmas = DoubleStream.concat(sigmas, DoubleStream.of(0)); // diffusers ends before
            }
            compare("sigmas", column(sigmas.toArray()));
        }
        if (recorded("init_noise_sigma")) {
            compare("init_noise_sigma", column(new double[] {plan.initialScale()}));
        }
    }

    /** The levels of diffusers' {@code sigmas}: the midpoints of KDPM2 are not among them. */
    private List<NoiseLevel> recordedLevels(SamplingPlan plan) {
        List<NoiseLevel> levels = new ArrayList<>();
        if (description.get("scheduler").textValue().startsWith("KDPM2")) {
            levels.add(plan.levels().getFirst());
            plan.levels().stream().skip(1).forEach(at -> levels.addAll(List.of(at, at)));
        } else {
            levels.addAll(plan.evaluations());
        }
        levels.add(plan.end());
        return levels;
    }

    private void sample(Scheduler scheduler, SamplingPlan plan) throws IOException {
        Tensor start = read("init");
        given("init");
        given("c");
        // There, diffusers draws from the generator that all share, whose seed is not recorded.
        boolean shared = description.get("config").path("stochastic_sampling").asBoolean();
        // There, it draws noise first that it does not use, between the first step and the last.
        boolean twice = description.get("scheduler").textValue().equals("CogVideoXDPMScheduler");
        int last = plan.steps() - 1;
        NoiseSource noise =
                (shape, dtype, device) -> {
                    if (shared) {
                        String name = "noise%02d".formatted(draws++);
                        given(name);
                        return recordedNoise(name);
                    }
                    try (var generator = new Generator(100 + steps)) {
                        if (twice && steps > 0 && steps < last) {
                            drawn(shape, generator, dtype, device);
                        }
                        return drawn(shape, generator, dtype, device);
                    }
                };
        StepListener on =
                step -> {
                    compare("x%02d".formatted(steps), step.latents());
                    String denoised = "denoised%02d".formatted(steps);
                    if (recorded(denoised)) {
                        compare(denoised, step.denoised());
                    }
                    steps++;
                };
        plan.sample(
                new NetworkDenoiser(network(), scheduler.process().prediction()), start, noise, on);
        requireEqual("steps", plan.evaluations().size(), steps);
        requireDraws();
    }

    /** The next noise, which is that of diffusers. */
    Tensor drawn(Shape shape, Generator generator, DType dtype, Device device) {
        Tensor random = Tensor.randn(shape, generator, dtype, device);
        compare("noise%02d".formatted(draws++), random);
        return random;
    }

    /** Marks a tensor as one that is taken from the record. */
    void given(String name) {
        comparisons.add(new Comparison(key() + "." + name, 0));
    }

    private Tensor recordedNoise(String name) {
        try {
            return read(name);
        } catch (IOException e) {
            throw new AssertionError(this + ": " + name + " was not recorded", e);
        }
    }

    /** The network of {@code case.json}'s note; with a variance if the config wants one. */
    private Network network() throws IOException {
        Tensor c = read("c");
        String variance = description.get("config").path("variance_type").asText();
        double[] timesteps = read("timesteps").toDoubleArray();
        return (x, timestep) -> {
            // Compared already; the network jumps at timestep 1, where the last bit decides.
            double t = timesteps[steps];
            requireNear(t, timestep.item());
            double u = t > 1 ? t / 1000 : t;
            Tensor output = x.times(0.35).plus(-0.2 * u).plus(c);
            return switch (variance) {
                case "learned" -> Ops.cat(1, output, c.square());
                case "learned_range" -> Ops.cat(1, output, c);
                default -> output;
            };
        };
    }

    private void requireNear(double reference, double actual) {
        if (Math.abs(reference - actual) > 1e-5 * Math.max(1, Math.abs(reference))) {
            throw new AssertionError(this + ": timestep " + actual + ", not " + reference);
        }
    }

    boolean recorded(String name) {
        return expected.names().contains(key() + "." + name);
    }

    Tensor read(String name) throws IOException {
        return expected.tensor(key() + "." + name);
    }

    static Tensor column(double[] values) {
        return Tensor.copyOf(values, values.length);
    }

    void compare(String name, Tensor actual) {
        try (var scope = TensorScope.open()) {
            Tensor reference = read(name).to(DType.FLOAT64);
            Tensor value = actual.to(Device.CPU).to(DType.FLOAT64);
            if (reference.elements() != value.elements()) {
                throw new AssertionError(
                        this
                                + ": "
                                + name
                                + " should be "
                                + reference.shape()
                                + ", not "
                                + value.shape());
            }
            Tensor difference =
                    value.reshape(reference.shape().toArray()).minus(reference).abs().max();
            double magnitude = reference.abs().max().item();
            double relative = difference.item() / (magnitude == 0 ? 1 : magnitude);
            comparisons.add(
                    new Comparison(
                            key() + "." + name,
                            Double.isNaN(relative) ? Double.POSITIVE_INFINITY : relative));
        } catch (IOException e) {
            throw new AssertionError(this + ": " + name + " was not recorded", e);
        }
    }

    void requireDraws() {
        requireEqual("draws", description.get("draws").intValue(), draws);
    }

    private void requireEqual(String what, int reference, int actual) {
        if (reference != actual) {
            throw new AssertionError(this + ": " + actual + " " + what + ", not " + reference);
        }
    }

    /** The largest difference of each kind of tensor: timesteps, sigmas, noise, x. */
    static TreeMap<String, Double> worst(List<Comparison> comparisons) {
        var worst = new TreeMap<String, Double>();
        for (Comparison each : comparisons) {
            String kind = each.key().replaceAll("^.*\\.|\\d+$", "");
            worst.merge(kind, each.difference(), Math::max);
        }
        return worst;
    }
}
