package dev.darkroom.tests;

import com.fasterxml.jackson.databind.JsonNode;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NetworkDenoiser;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.Step;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A {@link SchedulerCase} of diffusers' {@code ScoreSdeVeScheduler} or {@code ScoreSdeVpScheduler}:
 * the latents after each correction and each step, with noise and without. The last step ends
 * without noise here, as in diffusers' pipeline; the noise that its scheduler adds is added for the
 * comparison.
 */
final class ScoreSdeCase {
    private final SchedulerCase of;
    private final JsonNode config;
    private final boolean exploding;
    private final int count;
    private final int corrections;
    private final Scheduler scheduler;
    private final SamplingPlan plan;
    private final double[] timesteps;
    private int evaluations;
    private int drawnInStep;
    private Tensor noise;

    ScoreSdeCase(SchedulerCase of, JsonNode description, Scheduler scheduler) throws IOException {
        this.of = of;
        this.scheduler = scheduler;
        config = description.get("config");
        exploding = description.get("scheduler").textValue().equals("ScoreSdeVeScheduler");
        count = description.get("steps").intValue();
        corrections = exploding ? config.path("correct_steps").asInt(1) : 0;
        timesteps = of.read("timesteps").toDoubleArray();
        noise = of.read("init");
        plan = exploding ? lastSteps() : scheduler.plan(count);
    }

    /**
     * diffusers' scheduler has the sigmas of all training's timesteps until its pipeline has it
     * make others. The cases do not, so that their steps are the last of so many.
     */
    private SamplingPlan lastSteps() {
        int all = scheduler.mostSteps();
        return scheduler.plan(all).tail(Math.min(1, (count + 0.5) / all));
    }

    void run() throws IOException {
        compareLevels();
        of.given("init");
        of.given("c");
        Tensor c = of.read("c");
        Network network =
                (x, timestep) -> {
                    double t = timesteps[step()];
                    return x.times(0.35).plus(-0.2 * (t > 1 ? t / 1000 : t)).plus(c);
                };
        NoiseSource drawing = (shape, dtype, device) -> noise = drawn(shape);
        plan.sample(
                new NetworkDenoiser(network, scheduler.process().prediction()),
                noise,
                drawing,
                this::compare);
        of.requireDraws();
    }

    private int step() {
        return evaluations / (corrections + 1);
    }

    private void compareLevels() {
        double[] times = seen(scheduler.plan(count));
        if (exploding) { // the network is shown a sigma, and the case's the time
            of.compare("sigmas", SchedulerCase.column(seen(scheduler.plan(scheduler.mostSteps()))));
            double least = config.path("sigma_min").asDouble(0.01);
            double range = Math.log(config.path("sigma_max").asDouble(1348) / least);
            for (int i = 0; i < times.length; i++) {
                times[i] = Math.log(times[i] / least) / range;
            }
        }
        of.compare("timesteps", SchedulerCase.column(times));
        if (of.recorded("init_noise_sigma")) {
            double scale = scheduler.plan(count).initialScale();
            of.compare("init_noise_sigma", SchedulerCase.column(new double[] {scale}));
        }
    }

    /** What the network is shown in each step. */
    private double[] seen(SamplingPlan steps) {
        List<NoiseLevel> evaluated = steps.evaluations();
        return IntStream.range(0, steps.steps())
                .mapToDouble(i -> evaluated.get(i * (corrections + 1)).timestep())
                .toArray();
    }

    /** All noise of a step is from one generator. */
    private Tensor drawn(Shape shape) {
        try (var generator = new Generator(100 + step())) {
            for (int i = 0; i < drawnInStep; i++) {
                Tensor.randn(shape, generator, DType.FLOAT32, Device.CPU).close();
            }
            drawnInStep++;
            return of.drawn(shape, generator, DType.FLOAT32, Device.CPU);
        }
    }

    private void compare(Step made) {
        int step = step();
        int correction = evaluations % (corrections + 1);
        Tensor x = made.latents();
        if (correction < corrections) {
            of.compare("x%02d_correct%d".formatted(step, correction), x);
        } else {
            boolean last = step == count - 1;
            Tensor z = last ? drawn(x.shape()) : noise;
            double fresh = fresh(made.level(), plan.levels().get(step + 1));
            of.compare("x%02d".formatted(step), last ? x.plus(z, fresh) : x);
            of.compare("mean%02d".formatted(step), last ? x : x.plus(z, -fresh));
            drawnInStep = 0;
        }
        evaluations++;
    }

    /** The deviation of a step's noise. */
    private double fresh(NoiseLevel at, NoiseLevel next) {
        if (exploding) {
            return Math.sqrt(at.varianceGiven(next));
        }
        double least = config.path("beta_min").asDouble(0.1);
        double beta = least + at.timestep() * (config.path("beta_max").asDouble(20) - least);
        return Math.sqrt(beta / count);
    }
}
