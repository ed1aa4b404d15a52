package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;

/**
 * The levels of a scheduler, and another solver along them.
 *
 * @param own the scheduler whose levels they are
 * @param method the solver
 */
record AnotherSolver(Scheduler own, EulerScheduler.Method method) implements Scheduler {
    @Override
    public ForwardProcess process() {
        return own.process();
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return own.levels(steps, arguments);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return method.solver(arguments, null, null);
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
    public String taken() {
        return method.taken() + " mu levels";
    }
}
