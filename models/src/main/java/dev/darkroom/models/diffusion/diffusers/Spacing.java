package dev.darkroom.models.diffusion.diffusers;

/**
 * How the timesteps of a few steps are taken from those of training (Lin et al. 2023,
 * arXiv:2305.08891, table 2). Each gives {@code steps} timesteps, latest first.
 */
enum Spacing {
    /** Multiples of ⌊T/steps⌋ from 0, plus an offset: ends early, far from the last timestep. */
    LEADING {
        @Override
        double[] timesteps(int trained, int steps, int offset) {
            return multiples(steps, trained / steps, 0, offset);
        }

        @Override
        double[] withoutZero(int trained, int last, int steps, int offset) {
            int stride = last / (steps + 1);
            if (stride == 0) {
                throw new IllegalArgumentException(
                        "leading timestep spacing has room for "
                                + (last - 1)
                                + " steps, not "
                                + steps
                                + "; use fewer steps or trailing spacing");
            }
            return multiples(steps, stride, 1, offset);
        }
    },

    /** Equally spaced from the last timestep to 0, not rounded. */
    LINSPACE {
        @Override
        double[] timesteps(int trained, int steps, int offset) {
            return equallySpaced(trained - 1, steps, steps);
        }

        @Override
        double[] withoutZero(int trained, int last, int steps, int offset) {
            return equallySpaced(last - 1, steps + 1, steps);
        }
    },

    /**
     * Multiples of T/steps down from T, less 1. For a few numbers of steps, such as 61 of 1000,
     * diffusers has one timestep more by a rounding error, and that is −1; here it is left out.
     */
    TRAILING {
        @Override
        double[] timesteps(int trained, int steps, int offset) {
            return withoutZero(trained, trained, steps, offset);
        }

        @Override
        double[] withoutZero(int trained, int last, int steps, int offset) {
            double stride = (double) trained / steps;
            double difference = last - stride - last; // rounded as NumPy's arange
            int count = Math.min(steps, (int) Math.ceil(last / stride));
            var timesteps = new double[count];
            for (int i = 0; i < count; i++) {
                timesteps[i] = Math.rint(last + i * difference) - 1;
            }
            return timesteps;
        }
    };

    /**
     * Timesteps of samplers whose last evaluation is at timestep 0.
     *
     * @param trained T
     * @param offset added by {@link #LEADING}
     */
    abstract double[] timesteps(int trained, int steps, int offset);

    /**
     * Timesteps of samplers for which timestep 0 is where the last step ends.
     *
     * @param trained T
     * @param last how many of them are used
     * @param offset added by {@link #LEADING}
     */
    abstract double[] withoutZero(int trained, int last, int steps, int offset);

    private static double[] multiples(int steps, int stride, int least, int offset) {
        var timesteps = new double[steps];
        for (int i = 0; i < steps; i++) {
            timesteps[i] = (double) (steps - 1 - i + least) * stride + offset;
        }
        return timesteps;
    }

    /** The first {@code taken} of {@code count} equally spaced numbers from {@code top} to 0. */
    private static double[] equallySpaced(int top, int count, int taken) {
        var timesteps = new double[taken];
        double stride = count == 1 ? 0 : (double) top / (count - 1);
        for (int i = 0; i < taken; i++) {
            int fromZero = count - 1 - i;
            timesteps[i] = i == 0 && count > 1 ? top : fromZero * stride;
        }
        return timesteps;
    }
}
