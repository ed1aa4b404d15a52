package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * A network of two times, the student of a flow map: it predicts the average velocity u(x, r, t) of
 * a flow from the time t of its input to an earlier time r, so that x − (t − r)·u is where the flow
 * leads (MeanFlow: Geng et al. 2025, arXiv:2505.13447; shortcut models: Frans et al. 2024,
 * arXiv:2410.12557; AnyFlow: arXiv:2605.13724).
 */
@FunctionalInterface
public interface FlowMapNetwork extends Network {
    @Override
    Tensor predict(Tensor x, Tensor timesteps, Tensor ends);

    /** {@inheritDoc} The two times are then the same, where u is the flow's own velocity. */
    @Override
    default Tensor predict(Tensor x, Tensor timesteps) {
        return predict(x, timesteps, timesteps);
    }
}
