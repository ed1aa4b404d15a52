package dev.darkroom.models.diffusion;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A forward process as an SDE, dx = f(t)·x·dt + g(t)·dw for t from 0 to 1 (Song et al. 2021,
 * arXiv:2011.13456, section 3.4). Given x0, x_t is normal, which is a {@link NoiseLevel}. With the
 * score of {@link Denoised#score}, its reverse is dx = (f·x − g²·score)·dt + g·dw, and the ODE with
 * the same distributions dx = (f·x − ½·g²·score)·dt.
 */
public interface Sde {
    /** The authors' networks take t times this. */
    double TIMESTEPS = 999;

    /** The scale alpha(t) of the data, and the deviation sigma(t) of the noise. */
    NoiseLevel level(double t);

    /** f(t), which is d ln alpha/dt. */
    double drift(double t);

    /** g(t), where g² = d sigma²/dt − 2·f·sigma². */
    double diffusion(double t);

    /**
     * Levels of equal distances in time, the noisiest first, as samplers take them.
     *
     * @param steps how many there are between them, at least 1
     * @param least the last time, from 0 to below 1: 1e-3 for the authors' VP and sub-VP SDEs, 1e-5
     *     for their VE SDE
     */
    default List<NoiseLevel> levels(int steps, double least) {
        if (steps < 1 || !(least >= 0 && least < 1)) {
            throw new IllegalArgumentException(
                    "an SDE is followed in at least one step to a time from 0 to below 1, not in "
                            + steps
                            + " to "
                            + least);
        }
        return IntStream.rangeClosed(0, steps)
                .mapToObj(i -> level(1 + (least - 1) * i / steps))
                .toList();
    }

    /**
     * The variance-preserving SDE with β(t) from {@code least} to {@code greatest} (equation 11;
     * 0.1 and 20 there): DDPM's process, where alpha² + sigma² = 1.
     */
    static Sde variancePreserving(double least, double greatest) {
        return new PreservingSde(least, greatest, false);
    }

    /**
     * The sub-VP SDE (equation 14): the same alpha, and sigma = 1 − alpha², which is less noise
     * than that of the variance-preserving one.
     */
    static Sde subVariancePreserving(double least, double greatest) {
        return new PreservingSde(least, greatest, true);
    }

    /**
     * The variance-exploding SDE (equation 9): alpha = 1, and sigma grows geometrically; 0.01 and
     * 50 there.
     */
    static Sde varianceExploding(double least, double greatest) {
        if (!(least > 0 && least < greatest && greatest < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "sigma grows from above 0 to a greater one, not from "
                            + least
                            + " to "
                            + greatest);
        }
        double rate = Math.log(greatest / least);
        return new Sde() {
            @Override
            public NoiseLevel level(double t) {
                return NoiseLevel.varianceExploding(least * Math.exp(rate * t), TIMESTEPS * t);
            }

            @Override
            public double drift(double t) {
                return 0;
            }

            @Override
            public double diffusion(double t) {
                return level(t).sigma() * Math.sqrt(2 * rate);
            }
        };
    }
}
