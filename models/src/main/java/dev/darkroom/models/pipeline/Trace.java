package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Step;
import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.Locale;

/** Names intermediate results for a monitor that wants them. */
final class Trace {
    private final SampleMonitor monitor;
    private final boolean on;
    private int step;

    /** Asks the monitor once: what it answers holds for the run. */
    Trace(SampleMonitor monitor) {
        this.monitor = monitor;
        on = monitor.traces();
    }

    boolean isOn() {
        return on;
    }

    void named(String name, Tensor value) {
        if (isOn()) {
            monitor.traced(name, value);
        }
    }

    void timesteps(List<NoiseLevel> evaluations) {
        if (isOn()) {
            var timesteps = new float[evaluations.size()];
            for (int i = 0; i < timesteps.length; i++) {
                timesteps[i] = (float) evaluations.get(i).timestep();
            }
            named("timesteps", Tensor.copyOf(timesteps, timesteps.length));
        }
    }

    void step(Step done) {
        named(numbered("latents", done.index()), done.latents());
        step = done.index() + 1;
    }

    /** Tells of the noise that a sampler adds in a step. */
    NoiseSource stepNoise(NoiseSource noise) {
        return isOn()
                ? (shape, dtype, device) -> {
                    Tensor drawn = noise.draw(shape, dtype, device);
                    named(numbered("step_noise", step), drawn);
                    return drawn;
                }
                : noise;
    }

    private static String numbered(String name, int index) {
        return String.format(Locale.ROOT, "%s_%02d", name, index);
    }
}
