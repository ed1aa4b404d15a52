package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * diffusers' {@code SCMScheduler}, for continuous-time consistency models: to the data at once, and
 * back to the next level with fresh noise, over {@linkplain Consistency#trigonometric angles}.
 *
 * @param sigmaData the data's standard deviation, and that of noise
 */
record ScmScheduler(int trainTimesteps, double sigmaData) implements Scheduler {
    private static final String TRIGFLOW = "trigflow";

    /** π/2 as diffusers writes it. */
    private static final double MOST = 1.57080;

    /** Where the second of two steps begins. */
    private static final double BETWEEN = 1.3;

    static ScmScheduler read(SchedulerConfig config) {
        int trainTimesteps = config.integer("num_train_timesteps", 1000);
        String prediction = config.text("prediction_type", TRIGFLOW);
        if (!prediction.equals(TRIGFLOW)) {
            throw config.unsupported("prediction_type", prediction, "it must be " + TRIGFLOW);
        }
        double sigmaData = config.number("sigma_data", 0.5);
        if (!(sigmaData > 0)) {
            throw config.unsupported("sigma_data", sigmaData, "it must be above 0");
        }
        return new ScmScheduler(trainTimesteps, sigmaData);
    }

    /** What the network predicts becomes x̂0 in {@link Consistency#trigonometric}. */
    @Override
    public ForwardProcess process() {
        return new ForwardProcess(Prediction.SAMPLE, trainTimesteps, null);
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return sigmaData;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        DoubleStream angles =
                steps == 2
                        ? DoubleStream.of(MOST, BETWEEN, 0)
                        : IntStream.rangeClosed(0, steps).mapToDouble(i -> MOST - MOST * i / steps);
        return angles.mapToObj(this::level).toList();
    }

    private NoiseLevel level(double angle) {
        double t = (float) angle;
        return new NoiseLevel(Math.max(Math.cos(t), 0), sigmaData * Math.sin(t), t);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.lcm(
                        ConsistencyScheduler.drawing(
                                Consistency.trigonometric(denoiser), levels, noise),
                        x,
                        levels,
                        noise,
                        on);
    }
}
