package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;
import java.util.stream.IntStream;

/**
 * diffusers' {@code FlowMapEulerDiscreteScheduler} (AnyFlow, arXiv:2605.13724): any number of steps
 * of a flow map, of equal length before the shift. The network takes sigma · T for each of its two
 * times. Given timesteps are where it is called, as with other schedulers of flows; diffusers
 * shifts them too.
 *
 * @param shift by how much sigmas are shifted
 */
record FlowMapScheduler(int trainTimesteps, double shift) implements Scheduler {
    static final String CLASS = "FlowMapEulerDiscreteScheduler";

    static FlowMapScheduler read(SchedulerConfig config) {
        int timesteps = config.integer("num_train_timesteps", 1000);
        if (timesteps < 1) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 1 is needed");
        }
        double shift = config.number("shift", 1);
        if (!(shift > 0)) {
            throw config.unsupported("shift", shift, "it must be greater than 0");
        }
        return new FlowMapScheduler(timesteps, shift);
    }

    @Override
    public ForwardProcess process() {
        return ForwardProcess.flow(trainTimesteps);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.flowMap();
    }

    @Override
    public boolean isFlowMap() {
        return true;
    }

    @Override
    public String taken() {
        return "levels";
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        LevelChoice choice = arguments.levels();
        List<NoiseLevel> levels =
                choice == null
                        ? IntStream.range(0, steps)
                                .mapToObj(i -> level(1 - (double) i / steps))
                                .toList()
                        : FlowLevels.given(choice, steps, trainTimesteps, shift);
        return BetaOptions.endingAt(NoiseLevel.CLEAN, levels);
    }

    private NoiseLevel level(double unshifted) {
        double sigma = NoiseLevel.shifted(unshifted, shift);
        return NoiseLevel.flow(sigma, sigma * trainTimesteps);
    }
}
