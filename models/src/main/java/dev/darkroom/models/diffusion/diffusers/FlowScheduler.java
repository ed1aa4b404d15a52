package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;

/**
 * The levels of a flow's scheduler, and another solver along them.
 *
 * @param own the model's scheduler
 */
record FlowScheduler(Scheduler own, Solver solver) implements Scheduler {
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
        return solver;
    }

    @Override
    public Clipping clipping() {
        return own.clipping();
    }

    @Override
    public String taken() {
        return own.taken();
    }
}
