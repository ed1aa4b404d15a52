package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NetworkEvaluator;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.SeededNoise;
import dev.darkroom.models.diffusion.Step;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.diffusers.SchedulerArguments;
import dev.darkroom.models.diffusion.guidance.Autoguided;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.LatentCodec;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.models.family.NoiseAugmentation;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Latent diffusion (Rombach et al. 2022, arXiv:2112.10752) with the model of any family: encode the
 * inputs, draw the noise, sample with the guided denoiser, decode.
 */
final class LatentPipeline implements Pipeline {
    /** What the heap may hold for each byte that is alive: docs/decisions/0020-large-blocks.md. */
    private static final double HEAP = 2.2;

    private static final int STUDENT_STEPS = 4;

    private final Source source;
    private final List<Map<String, Object>> embeddings;
    private final Model model;
    private final @Nullable WeakerModel weaker;
    private final PipelineOptions options;
    private final Defaults defaults;
    private final PictureDecoder decoder;
    private final Worker worker;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * @param source is closed with the pipeline
     * @param embeddings that were learned, as they are described
     * @param weaker for autoguidance; null for guidance by the model itself
     * @param own what the checkpoint says of itself
     */
    LatentPipeline(
            Source source,
            Model model,
            List<Map<String, Object>> embeddings,
            @Nullable WeakerModel weaker,
            Defaults own,
            PipelineOptions options) {
        this.source = source;
        this.embeddings = embeddings;
        this.model = model;
        this.weaker = weaker;
        this.options = options;
        defaults = own.orElse(student());
        decoder = new PictureDecoder(model.codec());
        worker = new Worker("darkroom-" + source.name(), options.threads());
    }

    /**
     * What suits a distilled student: few steps, and no guidance unless it takes it as an input.
     * Which it is shows in the checkpoint and not in a request's sampler.
     */
    private Defaults student() {
        if (model.network().takesGuidance()) {
            return new Defaults(STUDENT_STEPS, null);
        }
        return model.samplers().isOfConsistency() || model.samplers().own().isFlowMap()
                ? new Defaults(STUDENT_STEPS, 1.0)
                : Defaults.NONE;
    }

    // ---- A run ----

    @Override
    public SampleResult sample(
            SampleRequest request, SampleMonitor monitor, @Nullable Tensor latents) {
        Objects.requireNonNull(request, "request");
        return watched(
                monitor, (guarded, interrupted) -> run(request, guarded, latents, interrupted));
    }

    private SampleResult run(
            SampleRequest request,
            SampleMonitor monitor,
            @Nullable Tensor given,
            AtomicBoolean interrupted)
            throws IOException {
        try (var scope = TensorScope.open();
                var noise = noise(request)) {
            var trace = new Trace(monitor);
            var notes = new Notes(trace);
            var run = ResolvedRequest.of(request, model, defaults);
            Scheduler scheduler = model.samplers().named(request.sampling().sampler());
            SamplingPlan plan = plan(scheduler, run);
            requireFits(run);
            Editor.require(run, model, given != null);
            var steering = steering(run, plan);
            if (given != null) {
                requireStart(run, given);
            }
            Map<String, Condition> conditions = conditions(run, notes);
            release();
            Start start = start(run, plan, noise, given, notes);
            conditions.replaceAll((name, each) -> each.with(Condition.SHOWN, start.shown()));
            conditions.replaceAll(steering::marked);
            release();
            BooleanSupplier cancelled = () -> interrupted.get() || monitor.isCancelled();
            Denoiser denoiser = guided(run, plan, scheduler, conditions, steering, cancelled);
            notes.phaseDone("encode");
            trace.named("latents_init", start.latents());
            trace.timesteps(plan.evaluations());
            Tensor latents =
                    plan.sample(
                            denoiser,
                            start.latents(),
                            trace.stepNoise(noise),
                            new Steps(start, steering, trace, monitor));
            release();
            Finite.require(latents, "the sampled latents", remedy(run));
            notes.phaseDone("sample");
            List<Picture> pictures =
                    decoder.decode(
                            latents, run.picture(), trace, () -> requireGoingOn(cancelled), notes);
            notes.phaseDone("decode");
            note(run, scheduler, notes);
            return notes.result(pictures, request);
        }
    }

    /** A run that may fail. */
    @FunctionalInterface
    private interface Run<T> {
        T run(SampleMonitor monitor, AtomicBoolean interrupted) throws IOException;
    }

    /** What a run gives that a monitor watches. */
    private <T> T watched(SampleMonitor monitor, Run<T> run) {
        Objects.requireNonNull(monitor, "monitor; SampleMonitor.NONE watches nothing");
        var interrupted = new AtomicBoolean();
        var guarded = new GuardedMonitor(monitor);
        return worker.run(() -> explained(run, guarded, interrupted), interrupted);
    }

    /** What a run gives; its failures are those of the pipeline. */
    private <T> T explained(Run<T> run, SampleMonitor monitor, AtomicBoolean interrupted) {
        try {
            return run.run(monitor, interrupted);
        } catch (IOException
                | IllegalArgumentException
                | ModelException
                | LibtorchException.OutOfMemory
                | InsufficientMemoryException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        } catch (UncheckedIOException e) { // of a part that is loaded again
            throw PipelineException.of(e);
        } finally {
            release();
        }
    }

    private static SeededNoise noise(SampleRequest request) {
        Sampling sampling = request.sampling();
        return new SeededNoise(sampling.seed(), request.inputs().batch(), sampling.oneGenerator());
    }

    @Override
    public InversionResult invert(SampleRequest request, int iterations, SampleMonitor monitor) {
        Objects.requireNonNull(request, "request");
        return watched(
                monitor,
                (guarded, interrupted) -> inverted(request, iterations, guarded, interrupted));
    }

    private InversionResult inverted(
            SampleRequest request, int iterations, SampleMonitor monitor, AtomicBoolean interrupted)
            throws IOException {
        Edit edit = Editor.inverted(request, model);
        try (var scope = TensorScope.open()) {
            var trace = new Trace(monitor);
            var notes = new Notes(trace);
            var run = ResolvedRequest.of(Editor.deterministic(request), model, defaults);
            Scheduler scheduler = model.samplers().named(run.request().sampling().sampler());
            SamplingPlan plan = plan(scheduler, run).inverted(iterations);
            requireFits(run);
            var steering = steering(run, plan);
            Map<String, Condition> conditions = conditions(run, notes);
            conditions.replaceAll(steering::marked);
            release();
            NoiseSource mean = (shape, dtype, device) -> Tensor.zeros(shape, dtype, device);
            var editor = new Editor(model, plan, mean, options.device(), latentType(), notes);
            Tensor data = editor.latents(run, edit);
            release();
            BooleanSupplier cancelled = () -> interrupted.get() || monitor.isCancelled();
            Denoiser denoiser = guided(run, plan, scheduler, conditions, steering, cancelled);
            notes.phaseDone("encode");
            trace.timesteps(plan.evaluations());
            var steps = new Steps(Start.at(data), steering, trace, monitor);
            Tensor latents = plan.sample(denoiser, data, NoiseSource.NONE, steps);
            Finite.require(latents, "the latents", remedy(run));
            notes.phaseDone("invert");
            note(run, scheduler, notes);
            notes.used("iterations", iterations);
            return new InversionResult(
                    TensorScope.detach(latents.to(Device.CPU).copy()),
                    notes.result(List.of(), run.request()));
        }
    }

    private Steering steering(ResolvedRequest run, SamplingPlan plan) {
        Steering.require(run, model);
        return new Steering(run, model, plan.evaluations().size(), options.device());
    }

    /** The denoiser that a solver calls: the network under conditions, guided. */
    private Denoiser guided(
            ResolvedRequest run,
            SamplingPlan plan,
            Scheduler scheduler,
            Map<String, Condition> conditions,
            Steering steering,
            BooleanSupplier cancelled) {
        Guidance guidance = run.guidance().over(plan.evaluations(), () -> zeros(run));
        Preconditioning prediction = scheduler.process().prediction();
        return guidance.with(
                evaluator(steering.network(), conditions, guidance, prediction, cancelled));
    }

    /** Refuses a run that there is no memory for, or that the weaker model can't take part in. */
    private void requireFits(ResolvedRequest run) {
        requireMemory(run);
        if (weaker != null) {
            weaker.require(run);
        }
    }

    /** Frees networks that take turns in memory, until they are used again. */
    private void release() {
        source.release();
        if (weaker != null) {
            weaker.source().release();
        }
    }

    /** The model's network under the conditions of a request, and the weaker model's, if any. */
    private Evaluator evaluator(
            ConditionedNetwork network,
            Map<String, Condition> conditions,
            Guidance guidance,
            Preconditioning prediction,
            BooleanSupplier cancelled) {
        UnaryOperator<Network> around = each -> cancellable(each, cancelled);
        Condition condition = conditions.get(WeakerModel.CONDITION);
        if (weaker == null || condition == null) {
            return new NetworkEvaluator(network, prediction, conditions, guidance, true, around);
        }
        return new Autoguided(
                new NetworkEvaluator(
                        network, prediction, conditions, Autoguided.own(guidance), true, around),
                new NetworkEvaluator(
                        weaker.model().network(),
                        prediction,
                        Map.of(Evaluator.CONDITIONAL, condition),
                        Guidance.NONE,
                        true,
                        around));
    }

    private SamplingPlan plan(Scheduler scheduler, ResolvedRequest run) {
        Sampling sampling = run.request().sampling();
        double strength = Objects.requireNonNullElse(run.strength(), 1.0);
        // Students that take the guidance are sampled by diffusers' pipelines of their own, in
        // which a picture leaves them all steps, but less noise
        boolean lessNoise = model.network().takesGuidance() && scheduler.takesStrength();
        var arguments =
                SchedulerArguments.NONE
                        .withTokens(model.network().tokens(run.latents()))
                        .withEta(sampling.eta())
                        .withClippedNoise(sampling.clippedNoise())
                        .withLevels(sampling.levels());
        SamplingPlan plan =
                scheduler.plan(
                        run.steps(), lessNoise ? arguments.withStrength(strength) : arguments);
        if (strength < 1 && !lessNoise) {
            plan = plan.tail(strength);
        }
        int trained = scheduler.process().trainTimesteps();
        if (sampling.start() != null) {
            plan = plan.from(timestep(sampling.start(), trained));
        }
        return sampling.end() == null ? plan : plan.downTo(timestep(sampling.end(), trained));
    }

    /** Where a share of the noise is gone. */
    private static double timestep(double share, int trained) {
        return Math.rint(trained - share * trained);
    }

    /** The conditions that the guidance asks for, by name, a row for each picture. */
    private Map<String, Condition> conditions(ResolvedRequest run, Notes notes) {
        Conditioner conditioner = model.conditioner();
        var conditions = new LinkedHashMap<String, Condition>();
        conditions.put(
                Evaluator.CONDITIONAL,
                rows(run, conditioner.encode(run.inputs(), run.sampled(), notes)));
        if (run.asks(Evaluator.UNCONDITIONAL)) {
            if (weaker != null) {
                conditions.put(WeakerModel.CONDITION, rows(run, weaker.encode(run)));
            } else {
                conditions.put(
                        Evaluator.UNCONDITIONAL,
                        rows(run, conditioner.without(run.inputs(), run.sampled(), notes)));
            }
        }
        if (run.asks(Evaluator.EMPTY)) {
            conditions.put(
                    Evaluator.EMPTY,
                    rows(run, conditioner.empty(run.inputs(), run.sampled(), notes)));
        }
        return conditions;
    }

    private Tensor zeros(ResolvedRequest run) {
        return Tensor.zeros(run.batchedLatents(), latentType(), options.device());
    }

    private Condition rows(ResolvedRequest run, Condition condition) {
        int pictures = run.batch();
        Condition rows = condition.rows() == 1 ? condition.repeated(pictures) : condition;
        if (!model.network().takesGuidance()) {
            return rows;
        }
        return rows.with(
                Condition.DISTILLED_GUIDANCE,
                Tensor.full(
                        Shape.of(pictures),
                        run.guidanceScale() - 1,
                        DType.FLOAT32,
                        options.device()));
    }

    private void requireStart(ResolvedRequest run, Tensor given) {
        Shape shape = run.batchedLatents();
        if (!given.shape().equals(shape)) {
            throw new PipelineException(
                    "the given latents have shape "
                            + given.shape()
                            + ", this request needs "
                            + shape);
        }
        if (!given.dtype().isFloatingPoint()) {
            throw new PipelineException(
                    "the given latents are "
                            + given.dtype()
                            + "; give floating-point numbers, such as float32");
        }
        try (var scope = TensorScope.open()) {
            Finite.require(
                    given.to(latentType()), "the given latents", "give finite ones, or none");
        }
    }

    /** Where sampling starts: the latents that were given, a picture, or noise. */
    private Start start(
            ResolvedRequest run,
            SamplingPlan plan,
            NoiseSource noise,
            @Nullable Tensor given,
            Notes notes) {
        Edit edit = run.inputs().edit();
        var editor = new Editor(model, plan, noise, options.device(), latentType(), notes);
        NoiseAugmentation augmentation = model.augmentation();
        if (edit != null && augmentation == null) {
            return editor.start(run, edit);
        }
        Tensor shown =
                edit == null || augmentation == null
                        ? null
                        : editor.augmented(run, edit, augmentation);
        Tensor latents =
                given == null
                        ? noise.draw(run.batchedLatents(), DType.FLOAT32, options.device())
                                .to(latentType())
                                .times(plan.initialScale())
                        : given.to(options.device()).to(latentType());
        return new Start(latents, shown, null);
    }

    /** What helps against latents that overflowed. */
    private String remedy(ResolvedRequest run) {
        var remedies = new ArrayList<String>();
        if (options.dtype().bytes() < DType.FLOAT32.bytes()) {
            remedies.add(Finite.FLOAT32);
        }
        if (run.guidanceScale() > 1) {
            remedies.add("use less guidance than " + run.guidanceScale());
        }
        remedies.add("use another sampler or another number of steps");
        return String.join(", or ", remedies);
    }

    /** Solvers add many small steps up, so they compute in float32 at least. */
    private DType latentType() {
        return options.dtype() == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
    }

    /** Asks before each evaluation whether to go on. */
    private static Network cancellable(Network network, BooleanSupplier cancelled) {
        return new Network() {
            @Override
            public Tensor predict(Tensor x, Tensor timesteps) {
                requireGoingOn(cancelled);
                return network.predict(x, timesteps);
            }

            @Override
            public Tensor predict(Tensor x, Tensor timesteps, Tensor ends) {
                requireGoingOn(cancelled);
                return network.predict(x, timesteps, ends);
            }
        };
    }

    private static void requireGoingOn(BooleanSupplier cancelled) {
        if (cancelled.getAsBoolean()) {
            throw new CancelledException("sampling was cancelled");
        }
    }

    /** Keeps what a start says, and tells of each step. */
    private record Steps(Start start, Steering steering, Trace trace, SampleMonitor monitor)
            implements StepListener {
        @Override
        public Tensor after(int evaluation, Tensor latents) {
            return start.after(evaluation, latents);
        }

        @Override
        public void onStep(Step step) {
            steering.evaluated(step.index());
            trace.step(step);
            monitor.evaluated(step.index() + 1, step.of(), step.latents(), step.denoised());
        }
    }

    @Override
    public List<Picture> preview(Tensor denoised) {
        return decoder.preview(denoised);
    }

    @Override
    public List<Picture> quickPreview(Tensor denoised) {
        return decoder.quickPreview(denoised);
    }

    // ---- Memory, and what is reported ----

    private void requireMemory(ResolvedRequest run) {
        int batch = run.batch();
        long pictures = 3L * batch * run.picture().pixels();
        if (pictures > Runtime.getRuntime().maxMemory()) {
            throw new PipelineException(
                    "the pictures take "
                            + (pictures >> 20)
                            + " MiB, but Java's heap has no more than "
                            + (Runtime.getRuntime().maxMemory() >> 20)
                            + "; make fewer at a time, or give it more with -Xmx");
        }
        if (options.device().type() != Device.Type.CPU) {
            return;
        }
        DiffusionNetwork network = model.network();
        long bytes =
                Math.max(
                        model.codec().bytesToLoad() + model.codec().decodingBytes(run.sampled()),
                        network.bytesToLoad()
                                + Steering.bytesToLoad(model)
                                + (weaker == null ? 0 : weaker.model().network().bytesToLoad())
                                + activations(network, run.rows(), run.latents(), options));
        var budget = MemoryBudget.current();
        if (HEAP * bytes > budget.available()) {
            Memory.returnLargeBlocks();
        }
        budget.require(
                bytes,
                "sampling "
                        + batch
                        + (batch == 1 ? " picture of " : " pictures of ")
                        + run.sampled());
    }

    /** About how many bytes an evaluation of the network takes beside its weights. */
    static long activations(
            DiffusionNetwork network, long rows, Shape latents, PipelineOptions options) {
        DType computed = Kernels.computed(options.dtype(), Kernels.Work.PRODUCTS, options.device());
        return network.activations(rows, latents) * computed.bytes();
    }

    private void note(ResolvedRequest run, Scheduler scheduler, Notes notes) {
        LatentCodec codec = model.codec();
        notes.used("pipeline", source.pipeline());
        run.note(
                notes,
                model.samplers().name(run.request().sampling().sampler()),
                scheduler.process().prediction());
        if (weaker != null && run.asks(Evaluator.UNCONDITIONAL)) {
            notes.used("autoGuidance", weaker.source().name());
        }
        notes.used("dtype", options.dtype().toString());
        notes.used("vaeDtype", codec.dtype().toString());
        notes.used("device", options.device().toString());
        notes.used("threads", Threads.count());
        if (Kernels.matter(options.dtype(), options.device())
                || Kernels.matter(codec.dtype(), options.device())) {
            notes.used("kernels", Kernels.current().toString());
        }
    }

    @Override
    public List<String> warnings() {
        return weaker == null
                ? source.warnings()
                : Stream.concat(source.warnings().stream(), weaker.source().warnings().stream())
                        .distinct()
                        .toList();
    }

    @Override
    public Map<String, Object> describe() {
        var description = new LinkedHashMap<>(source.describe());
        if (!embeddings.isEmpty()) {
            description.put("embeddings", embeddings);
        }
        description.putAll(Steering.describe(options));
        if (weaker != null) {
            description.put("autoGuidance", weaker.source().describe());
        }
        return description;
    }

    @Override
    public Map<String, String> hashWeights() {
        return hashWeights(false);
    }

    @Override
    public Map<String, String> rehashWeights() {
        return hashWeights(true);
    }

    private Map<String, String> hashWeights(boolean rehashed) {
        var hashes = new LinkedHashMap<>(source.hashWeights(rehashed));
        if (weaker != null) {
            weaker.source()
                    .hashWeights(rehashed)
                    .forEach((file, hash) -> hashes.put("autoGuidance/" + file, hash));
        }
        return Collections.unmodifiableMap(hashes);
    }

    @Override
    public void close() {
        worker.close();
        if (closed.compareAndSet(false, true)) {
            model.codec().close();
            source.close();
            if (weaker != null) {
                weaker.model().codec().close();
                weaker.source().close();
            }
        }
    }
}
