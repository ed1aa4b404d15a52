package dev.darkroom.cli;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/** Watches a run for {@code sample}: shows the progress, and collects the strip and the trace. */
final class Watcher implements SampleMonitor, AutoCloseable {
    /** The most estimates in a strip; each is decoded, which takes longer than a step. */
    static final int STRIP_COLUMNS = 20;

    private final Pipeline pipeline;
    private final AtomicBoolean cancelled;
    private final @Nullable Progress progress;
    private final @Nullable Preview preview;
    private final boolean strips;
    private final boolean traces;
    private final List<List<Picture>> strip = new ArrayList<>();
    private final Map<String, Tensor> trace = new LinkedHashMap<>();

    /**
     * @param cancelled becomes true when the run shall end
     * @param progress shows the progress; null for nothing
     * @param preview shows estimates on the way; null for none
     * @param strips whether estimates are decoded for {@link #strip}
     * @param traces whether tensors are copied for {@link #trace}
     */
    Watcher(
            Pipeline pipeline,
            AtomicBoolean cancelled,
            @Nullable Progress progress,
            @Nullable Preview preview,
            boolean strips,
            boolean traces) {
        this.pipeline = pipeline;
        this.cancelled = cancelled;
        this.progress = progress;
        this.preview = preview;
        this.strips = strips;
        this.traces = traces;
    }

    @Override
    public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
        // Evenly spread, and the last one always.
        long columns = Math.min(total, STRIP_COLUMNS);
        if (strips && done * columns / total != (done - 1) * columns / total) {
            strip.add(pipeline.preview(denoised));
        }
        if (preview != null && preview.isDue(done == total)) {
            if (progress != null) {
                progress.close(); // the bar is shown below
            }
            preview.show(() -> pipeline.quickPreview(denoised));
        }
        if (progress != null) {
            progress.show(done, total);
        }
    }

    @Override
    public boolean traces() {
        return traces;
    }

    @Override
    public void traced(String name, Tensor value) {
        try (var scope = TensorScope.open()) {
            Tensor copy = value.to(Device.CPU).copy();
            trace.put(name, copy);
            TensorScope.detach(copy);
        }
    }

    @Override
    public boolean isCancelled() {
        return cancelled.get();
    }

    /** The estimates of x̂0, a row for each picture of the batch and a column for each step. */
    Raster strip() {
        var pictures = new ArrayList<Picture>();
        for (int row = 0; row < strip.getFirst().size(); row++) {
            for (List<Picture> column : strip) {
                pictures.add(column.get(row));
            }
        }
        return Raster.tiled(pictures, strip.size());
    }

    /** The tensors that were named, by name; open until this is closed. */
    Map<String, Tensor> trace() {
        return Collections.unmodifiableMap(trace);
    }

    @Override
    public void close() {
        trace.values().forEach(TensorScope::release);
    }
}
