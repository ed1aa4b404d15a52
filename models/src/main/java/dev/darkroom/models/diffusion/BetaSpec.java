package dev.darkroom.models.diffusion;

import java.util.Optional;

/** A sampler of a class of diffusers that has betas. */
interface BetaSpec extends SamplerSpec {
    /** What all such classes share. */
    BetaOptions betas();

    @Override
    default Prediction prediction() {
        return betas().prediction();
    }

    @Override
    default int trainTimesteps() {
        return betas().trainTimesteps();
    }

    @Override
    default Optional<NoiseSchedule> schedule() {
        return prediction() == Prediction.FLOW ? Optional.empty() : Optional.of(betas().schedule());
    }
}
