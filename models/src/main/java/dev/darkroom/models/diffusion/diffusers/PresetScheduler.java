package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A scheduler with arguments that each call gets.
 *
 * @param preset adds them to a call's own
 */
record PresetScheduler(Scheduler own, UnaryOperator<SchedulerArguments> preset)
        implements Scheduler {
    @Override
    public ForwardProcess process() {
        return own.process();
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return own.levels(steps, preset.apply(arguments));
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return own.solver(steps, preset.apply(arguments));
    }

    @Override
    public Clipping clipping() {
        return own.clipping();
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return own.initialScale(levels);
    }

    @Override
    public int mostSteps() {
        return own.mostSteps();
    }

    @Override
    public String taken() {
        return own.taken();
    }

    /* Checks the arguments with those that are added. */
    @Override
    public void require(SchedulerArguments arguments) {
        own.require(preset.apply(arguments));
    }
}
