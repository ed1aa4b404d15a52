package dev.darkroom.cli;

import dev.darkroom.models.checkpoint.LoadListener;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.InversionResult;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Paints picture i of a batch in the grey i + 1, and the estimate of step s in the grey s. */
final class FakePipeline implements Pipeline {
    private static final int STEPS = 3;
    private static final int SIZE = 4;

    @Nullable Path folder;
    @Nullable PipelineOptions options;
    @Nullable SampleRequest request;
    float @Nullable [] start;
    List<String> warnings = List.of();
    List<String> warningsOfLoading = List.of();
    List<Map<String, Object>> embeddings = List.of();
    @Nullable RuntimeException failure;
    @Nullable RuntimeException previewFailure;
    Runnable hashing = () -> {};
    boolean cancelled;
    boolean closed;

    /** {@code darkroom sample} with this behind it. */
    Run sample(Object... arguments) {
        var command =
                new SampleCommand(
                        (model, options) -> {
                            this.folder = Path.of(model);
                            this.options = options.withListener(LoadListener.NONE);
                            return this;
                        });
        return Run.of(Main.configured(new CommandLine(command)), arguments);
    }

    /** {@code darkroom invert} with this behind it. */
    Run invert(Object... arguments) {
        var command =
                new InvertCommand(
                        (model, options) -> {
                            this.folder = Path.of(model);
                            return this;
                        });
        return Run.of(Main.configured(new CommandLine(command)), arguments);
    }

    @Override
    public SampleResult sample(
            SampleRequest request, SampleMonitor monitor, @Nullable Tensor latents) {
        this.request = request;
        if (failure != null) {
            throw failure;
        }
        start = latents == null ? null : latents.toFloatArray();
        int steps = Objects.requireNonNullElse(request.sampling().steps(), STEPS);
        for (int step = 1; step <= steps; step++) {
            if (cancelled || monitor.isCancelled()) {
                throw new CancelledException("cancelled");
            }
            try (var scope = TensorScope.open()) {
                Tensor estimate =
                        Tensor.full(
                                Shape.of(request.inputs().batch(), 1, 1, 1),
                                step,
                                DType.FLOAT32,
                                Device.CPU);
                monitor.evaluated(step, steps, estimate, estimate);
                if (monitor.traces()) {
                    monitor.traced("latents_%02d".formatted(step - 1), estimate);
                }
            }
        }
        var pictures = new ArrayList<Picture>();
        for (int i = 0; i < request.inputs().batch(); i++) {
            pictures.add(grey(i + 1));
        }
        return new SampleResult(
                pictures,
                request,
                Map.of(
                        "steps",
                        steps,
                        "sampler",
                        "DDIMScheduler",
                        "guidanceScale",
                        4.5,
                        "width",
                        SIZE,
                        "height",
                        SIZE),
                warnings,
                Map.of("sample", 1.5, "total", 2.0));
    }

    @Override
    public InversionResult invert(SampleRequest request, int iterations, SampleMonitor monitor) {
        this.request = request;
        if (cancelled || monitor.isCancelled()) {
            throw new CancelledException("cancelled");
        }
        Tensor latents = Tensor.full(Shape.of(1, 1, 1, 1), iterations, DType.FLOAT32, Device.CPU);
        return new InversionResult(
                TensorScope.detach(latents),
                new SampleResult(
                        List.of(),
                        request,
                        Map.of("steps", STEPS, "sampler", "euler", "guidanceScale", 1.0),
                        warnings,
                        Map.of("invert", 1.5)));
    }

    @Override
    public List<Picture> preview(Tensor denoised) {
        if (previewFailure != null) {
            throw previewFailure;
        }
        var pictures = new ArrayList<Picture>();
        for (float value : denoised.toFloatArray()) {
            pictures.add(grey((int) value));
        }
        return pictures;
    }

    private static Picture grey(int value) {
        var rgb = new byte[3 * SIZE * SIZE];
        Arrays.fill(rgb, (byte) value);
        return new Picture(SIZE, SIZE, rgb);
    }

    @Override
    public List<String> warnings() {
        return warningsOfLoading;
    }

    @Override
    public Map<String, Object> describe() {
        return embeddings.isEmpty()
                ? Map.of("model", "fake: one, two")
                : Map.of("model", "fake: one, two", "embeddings", embeddings);
    }

    @Override
    public Map<String, String> hashWeights() {
        hashing.run();
        return Map.of("vae/a.safetensors", "00ff");
    }

    @Override
    public Map<String, String> rehashWeights() {
        return Map.of("vae/a.safetensors", "11ff");
    }

    @Override
    public void close() {
        closed = true;
    }
}
