package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.SamplerSpec;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.SeededNoise;
import dev.darkroom.models.diffusion.Step;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.FileHashes;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.LibtorchException;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;

/**
 * What pipelines of latent diffusion share: draw the noise, sample with the guided denoiser, decode
 * (Rombach et al. 2022). A subclass says what a request means for its networks.
 */
abstract class LatentPipeline implements Pipeline {
    /** Helps where 16 bits overflowed. */
    static final String FLOAT32 = "compute in float32 (--dtype float32)";

    private static final int STUDENT_STEPS = 4;

    private final Checkpoint checkpoint;
    private final AutoencoderKl vae;
    private final LatentDecoder decoder;
    private final Scheduler scheduler;
    private final boolean guidanceIsTold;
    private final Defaults defaults;
    private final Worker worker;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * @param family defaults of the checkpoint's family
     * @param guidanceIsTold whether the network takes the guidance as an input
     * @throws IOException if the checkpoint's own defaults can't be read
     */
    LatentPipeline(
            Checkpoint checkpoint,
            AutoencoderKl vae,
            Scheduler scheduler,
            Defaults family,
            boolean guidanceIsTold)
            throws IOException {
        this.checkpoint = checkpoint;
        this.vae = vae;
        this.scheduler = scheduler;
        this.guidanceIsTold = guidanceIsTold;
        decoder = new LatentDecoder(vae);
        defaults = Defaults.read(checkpoint.folder()).orElse(student(family)).orElse(family);
        worker =
                new Worker(
                        "darkroom-" + checkpoint.folder().getFileName(),
                        checkpoint.options().threads());
    }

    /**
     * What suits a distilled student: few steps, and no guidance unless it takes it as an input.
     * Which it is shows in the checkpoint and not in a request's sampler.
     */
    private Defaults student(Defaults family) {
        if (guidanceIsTold) {
            return new Defaults(STUDENT_STEPS, family.guidanceScale());
        }
        return scheduler.isOfConsistency() ? new Defaults(STUDENT_STEPS, 1.0) : Defaults.NONE;
    }

    /** A request's steps, or the checkpoint's. */
    final int steps(SampleRequest request) {
        Integer asked = request.steps();
        return Objects.requireNonNull(asked != null ? asked : defaults.steps());
    }

    /** A request's guidance, or the checkpoint's. */
    final double guidanceScale(SampleRequest request) {
        Double asked = request.guidanceScale();
        return Objects.requireNonNull(asked != null ? asked : defaults.guidanceScale());
    }

    /** Whether the network takes the guidance as an input. */
    final boolean guidanceIsTold() {
        return guidanceIsTold;
    }

    /** Fills in what the request leaves open, and refuses what does not fit the checkpoint. */
    abstract Plan plan(SampleRequest request);

    /**
     * Binds the network to everything that the request says.
     *
     * @return predicts for {@code [N,C,H,W]}; if the plan is guided, for {@code [2N,C,H,W]}, the
     *     first N without the condition
     */
    abstract Network condition(Plan plan, Trace trace, Notes notes);

    /** Channels of the latents. */
    abstract long latentChannels();

    /** About how many bytes an evaluation of the network takes beside the weights. */
    abstract long activationBytes(Plan plan);

    final DType dtype() {
        return checkpoint.options().dtype();
    }

    final Device device() {
        return checkpoint.options().device();
    }

    final Scheduler scheduler() {
        return scheduler;
    }

    /** Pixels of the picture for one of the latents, in each direction. */
    final int pixelsPerLatent() {
        return vae.config().downsampling();
    }

    // ---- A run ----

    @Override
    public final SampleResult sample(
            SampleRequest request, SampleMonitor monitor, @Nullable Tensor latents) {
        Objects.requireNonNull(request, "request");
        Objects.requireNonNull(monitor, "monitor; SampleMonitor.NONE watches nothing");
        var interrupted = new AtomicBoolean();
        var guarded = new GuardedMonitor(monitor);
        return worker.run(() -> run(request, guarded, latents, interrupted), interrupted);
    }

    private SampleResult run(
            SampleRequest request,
            SampleMonitor monitor,
            @Nullable Tensor given,
            AtomicBoolean interrupted) {
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(request.seed(), request.batch())) {
            var notes = new Notes();
            var trace = new Trace(monitor);
            Plan plan = plan(request);
            SamplerSpec spec = scheduler.spec(request.sampler());
            SamplingPlan sampling = spec.plan(plan.steps());
            requireMemory(plan);
            if (given != null) {
                requireStart(plan, given);
            }
            Network network = condition(plan, trace, notes);
            notes.phaseDone("encode");
            Tensor latents = start(plan, sampling, noise, given);
            trace.named("latents_init", latents);
            trace.timesteps(sampling.evaluations());
            BooleanSupplier cancelled = () -> interrupted.get() || monitor.isCancelled();
            Denoiser denoiser = guided(plan, spec, cancellable(network, cancelled));
            latents =
                    sampling.sample(
                            denoiser,
                            latents,
                            trace.stepNoise(noise),
                            step -> stepped(step, trace, monitor));
            Finite.require(latents, "the sampled latents", remedy(plan));
            notes.phaseDone("sample");
            List<Picture> pictures = pictures(plan, latents, trace, cancelled, notes);
            notes.phaseDone("decode");
            note(plan, spec, notes);
            return notes.result(pictures, request);
        } catch (IOException
                | IllegalArgumentException
                | LibtorchException.OutOfMemory
                | InsufficientMemoryException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        }
    }

    private Shape latentShape(Plan plan) {
        return Shape.of(
                plan.request().batch(),
                latentChannels(),
                plan.sampled().height() / pixelsPerLatent(),
                plan.sampled().width() / pixelsPerLatent());
    }

    private void requireStart(Plan plan, Tensor given) {
        Shape shape = latentShape(plan);
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

    /** Where sampling starts: the latents that were given, or noise. */
    private Tensor start(
            Plan plan, SamplingPlan sampling, NoiseSource noise, @Nullable Tensor given) {
        return given == null
                ? noise.draw(latentShape(plan), DType.FLOAT32, device())
                        .to(latentType())
                        .times(sampling.initialScale())
                : given.to(device()).to(latentType());
    }

    /** What helps against latents that overflowed. */
    private String remedy(Plan plan) {
        var remedies = new ArrayList<String>();
        if (dtype().bytes() < DType.FLOAT32.bytes()) {
            remedies.add(FLOAT32);
        }
        if (plan.guidanceScale() > 1) {
            remedies.add("use less guidance than " + plan.guidanceScale());
        }
        remedies.add("use another sampler or another number of steps");
        return String.join(", or ", remedies);
    }

    /** Samplers add many small steps up, so they compute in float32 at least. */
    private DType latentType() {
        return dtype() == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
    }

    private Denoiser guided(Plan plan, SamplerSpec spec, Network network) {
        var denoiser = new NetworkDenoiser(network, spec.prediction());
        return plan.isGuided()
                ? new Guidance(plan.guidanceScale()).guide(denoiser, spec.prediction())
                : denoiser;
    }

    /** Asks before each evaluation whether to go on. */
    private static Network cancellable(Network network, BooleanSupplier cancelled) {
        return (x, timestep) -> {
            requireGoingOn(cancelled);
            return network.predict(x, timestep);
        };
    }

    private static void requireGoingOn(BooleanSupplier cancelled) {
        if (cancelled.getAsBoolean()) {
            throw new CancelledException("sampling was cancelled");
        }
    }

    private static void stepped(Step step, Trace trace, SampleMonitor monitor) {
        trace.step(step);
        monitor.evaluated(step.index() + 1, step.of(), step.latents(), step.denoised());
    }

    // ---- Pictures ----

    /** Decodes one by one, so that memory does not grow with the batch. */
    private List<Picture> pictures(
            Plan plan, Tensor latents, Trace trace, BooleanSupplier cancelled, Notes notes) {
        List<Picture> pictures = new ArrayList<>();
        List<Tensor> images = new ArrayList<>();
        for (Tensor one : latents.split(0, ones(latents.size(0)))) {
            requireGoingOn(cancelled);
            try (var scope = TensorScope.open()) {
                Tensor image = image(one, plan.picture(), notes);
                pictures.add(Picture.of(image.select(0, 0)));
                if (trace.isOn()) {
                    images.add(scope.keep(image));
                }
            }
        }
        if (trace.isOn()) {
            trace.named("image", Ops.cat(0, images).permute(0, 2, 3, 1));
        }
        return pictures;
    }

    @Override
    public final List<Picture> preview(Tensor denoised) {
        List<Picture> pictures = new ArrayList<>();
        try (var all = TensorScope.open()) {
            for (Tensor one : denoised.split(0, ones(denoised.size(0)))) {
                try (var scope = TensorScope.open()) {
                    pictures.add(Picture.of(image(one, null, new Notes()).select(0, 0)));
                }
            }
        }
        return pictures;
    }

    private static long[] ones(long count) {
        return LongStream.range(0, count).map(i -> 1).toArray();
    }

    /**
     * Decodes, scales to cover a size and cuts what is over on both sides.
     *
     * @param latents {@code [1,C,H,W]}
     * @param size null for the size as decoded
     * @return float32 on the CPU from 0 to 1, {@code [1,3,H,W]}
     */
    private Tensor image(Tensor latents, ResolutionBins.@Nullable Size size, Notes notes) {
        Tensor image = decoder.decode(latents, notes);
        var decoded = new ResolutionBins.Size((int) image.size(2), (int) image.size(3));
        if (size != null && !size.equals(decoded)) {
            ResolutionBins.Size cover = size.coveredBy(decoded);
            image =
                    Ops.resizeBilinear(image, cover.height(), cover.width())
                            .narrow(2, (cover.height() - size.height()) / 2, size.height())
                            .narrow(3, (cover.width() - size.width()) / 2, size.width());
        }
        return image.dividedBy(2).plus(0.5).clamp(0, 1).to(Device.CPU);
    }

    // ---- What is told ----

    private void requireMemory(Plan plan) {
        long pictures =
                3L * plan.request().batch() * plan.picture().height() * plan.picture().width();
        if (pictures > Runtime.getRuntime().maxMemory()) {
            throw new PipelineException(
                    "the pictures take "
                            + (pictures >> 20)
                            + " MiB, but Java's heap has no more than "
                            + (Runtime.getRuntime().maxMemory() >> 20)
                            + "; make fewer at a time, or give it more with -Xmx");
        }
        if (device().type() != Device.Type.CPU) {
            return;
        }
        long pixels = (long) plan.sampled().height() * plan.sampled().width();
        long decoding = decoder.bytes(pixels, computed(vae.dtype(), Kernels.Work.CONVOLUTIONS));
        MemoryBudget.current()
                .require(
                        Math.max(decoding, activationBytes(plan)),
                        "sampling "
                                + plan.request().batch()
                                + (plan.request().batch() == 1 ? " picture of " : " pictures of ")
                                + plan.sampled().width()
                                + "×"
                                + plan.sampled().height());
    }

    /** Of a transformer's block: tokens, norms, queries, keys and values, the wide layer twice. */
    final long transformerBytes(Plan plan, int patch, int width) {
        long perToken = (long) pixelsPerLatent() * patch;
        long tokens = (plan.sampled().height() / perToken) * (plan.sampled().width() / perToken);
        return 14L
                * plan.evaluated()
                * tokens
                * width
                * computed(dtype(), Kernels.Work.PRODUCTS).bytes();
    }

    /** The type that results have while they are computed. */
    private DType computed(DType dtype, Kernels.Work work) {
        boolean cast =
                isSixteenBitsOnTheCpu(dtype)
                        && Kernels.current().way(dtype, work) == Kernels.Way.FLOAT32;
        return cast ? DType.FLOAT32 : dtype;
    }

    private boolean isSixteenBitsOnTheCpu(DType dtype) {
        return dtype.bytes() == 2 && device().type() == Device.Type.CPU;
    }

    private void note(Plan plan, SamplerSpec spec, Notes notes) {
        SampleRequest request = plan.request();
        notes.used("pipeline", checkpoint.className());
        notes.used("steps", plan.steps());
        notes.used("guidanceScale", plan.guidanceScale());
        notes.used("sampler", scheduler.name(request.sampler()));
        notes.used("prediction", spec.prediction().toString());
        notes.used(
                "seeds",
                LongStream.range(0, request.batch())
                        .mapToObj(i -> Seed.value(request.seed() + i))
                        .toList());
        notes.used("width", plan.picture().width());
        notes.used("height", plan.picture().height());
        notes.used("sampledWidth", plan.sampled().width());
        notes.used("sampledHeight", plan.sampled().height());
        notes.used("batch", request.batch());
        notes.used("dtype", dtype().toString());
        notes.used("vaeDtype", vae.dtype().toString());
        notes.used("device", device().toString());
        notes.used("threads", Threads.count());
        if (isSixteenBitsOnTheCpu(dtype()) || isSixteenBitsOnTheCpu(vae.dtype())) {
            notes.used("kernels", Kernels.current().toString());
        }
    }

    @Override
    public final List<String> warnings() {
        return checkpoint.warnings().list();
    }

    @Override
    public final Map<String, Object> describe() {
        return checkpoint.describe();
    }

    @Override
    public final Map<String, String> hashWeights() {
        return checkpoint.hashWeights(FileHashes::of);
    }

    @Override
    public final Map<String, String> rehashWeights() {
        return checkpoint.hashWeights(FileHashes::compute);
    }

    @Override
    public final void close() {
        worker.close();
        if (closed.compareAndSet(false, true)) {
            decoder.close();
            checkpoint.close();
        }
    }
}
