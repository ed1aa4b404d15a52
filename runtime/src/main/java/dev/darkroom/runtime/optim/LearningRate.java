package dev.darkroom.runtime.optim;

/**
 * A schedule of the learning rate: a factor on that of each {@link ParameterGroup} at each step.
 */
@FunctionalInterface
public interface LearningRate {
    /**
     * Returns the factor of a step.
     *
     * @param step from 0
     */
    double factor(long step);

    /**
     * Returns a schedule that rises linearly to 1 over the first steps and stays there.
     *
     * @param warmUp steps; 0 for none
     */
    static LearningRate constant(long warmUp) {
        if (warmUp < 0) {
            throw new IllegalArgumentException("a warm-up takes 0 steps or more, not " + warmUp);
        }
        return step -> step >= warmUp ? 1 : (step + 1.0) / warmUp;
    }

    /**
     * Returns a schedule that rises linearly to 1 over the first steps, then falls as a half cosine
     * (Loshchilov and Hutter, arXiv 1608.03983, equation 5) to the floor, which it keeps after the
     * last step.
     *
     * @param warmUp steps; 0 for none
     * @param total steps, those of the warm-up included
     * @param floor the last factor, 0 … 1
     */
    static LearningRate cosine(long warmUp, long total, double floor) {
        if (total <= warmUp || !(floor >= 0 && floor <= 1)) {
            throw new IllegalArgumentException(
                    "a cosine needs more steps in total than the warm-up's "
                            + warmUp
                            + ", not "
                            + total
                            + ", and a floor from 0 to 1, not "
                            + floor);
        }
        LearningRate rise = constant(warmUp);
        return step -> {
            if (step < warmUp) {
                return rise.factor(step);
            }
            double done = Math.min(1, (step - warmUp) / (double) (total - warmUp));
            return floor + (1 - floor) * (1 + Math.cos(Math.PI * done)) / 2;
        };
    }
}
