package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.Tensor;

/** A caller's monitor: what it leaves on the pipeline's thread does not touch the run. */
record GuardedMonitor(SampleMonitor monitor) implements SampleMonitor {
    @Override
    public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
        ForeignCode.run(() -> monitor.evaluated(done, total, latents, denoised));
    }

    @Override
    public void traced(String name, Tensor value) {
        ForeignCode.run(() -> monitor.traced(name, value));
    }

    @Override
    public boolean traces() {
        return ForeignCode.call(monitor::traces);
    }

    @Override
    public boolean isCancelled() {
        return ForeignCode.call(monitor::isCancelled);
    }
}
