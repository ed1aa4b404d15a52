package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.Prediction;

/** A scheduler of a class of diffusers that has betas. */
interface BetaScheduler extends Scheduler {
    /** Returns the options that all such classes share. */
    BetaOptions betas();

    @Override
    default ForwardProcess process() {
        return betas().prediction() == Prediction.FLOW
                ? ForwardProcess.flow(betas().trainTimesteps())
                : ForwardProcess.of(betas().schedule(), betas().prediction());
    }

    /** Returns how many timesteps the network was trained with. */
    default int trainTimesteps() {
        return betas().trainTimesteps();
    }
}
