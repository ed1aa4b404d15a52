package dev.darkroom.models.diffusion;

/** A network that predicts under conditions. */
@FunctionalInterface
public interface ConditionedNetwork {
    /**
     * Binds a condition, and computes what all evaluations under it share, such as the keys and
     * values of a text, with the adapters as they are then. That belongs to the scope which is
     * open.
     *
     * @param condition with a row for each sample that the network is then shown
     * @throws IllegalArgumentException if the condition lacks what the network needs
     */
    Network bind(Condition condition);

    /**
     * Binds a condition, for evaluations with some blocks perturbed.
     *
     * @throws IllegalArgumentException if the network has no such blocks, or the condition lacks
     *     what it needs
     */
    default Network bind(Condition condition, Perturbation perturbation) {
        throw new IllegalArgumentException(
                "this network's blocks can't be perturbed; choose another guidance than one by "
                        + perturbation.kind());
    }
}
