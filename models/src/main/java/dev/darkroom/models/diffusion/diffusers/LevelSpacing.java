package dev.darkroom.models.diffusion.diffusers;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How the noise levels of a few steps lie among a model's, by the names that are in use. */
public enum LevelSpacing {
    /** Equally spaced in the table of the model's sigmas, each taken as it is. */
    SIMPLE("every so many of the model's noise levels (ComfyUI)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            double stride = (double) model.count() / steps;
            return each(steps, i -> model.ofIndex(model.count() - 1 - (int) (i * stride)));
        }
    },

    /** Equally spaced timesteps from the last to the first, where the last step starts. */
    NORMAL("equal steps of time down to the least noise (k-diffusion)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            return each(steps, i -> model.ofIndex((model.count() - 1) * (1 - share(i, steps))));
        }
    },

    /** Equally spaced timesteps from the last to the first, where the last step would end. */
    UNIFORM("equal steps of time, the last of which starts above the least noise (SGM)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            return each(steps, i -> model.ofIndex((model.count() - 1) * (1 - (double) i / steps)));
        }
    },

    /** {@link SigmaSpacing#KARRAS}. */
    KARRAS("equal steps of σ^(1/7) (Karras et al. 2022, arXiv:2206.00364)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            return SigmaSpacing.KARRAS.sigmas(steps, model.greatest(), model.least());
        }
    },

    /** {@link SigmaSpacing#EXPONENTIAL}. */
    EXPONENTIAL("equal steps of log σ (Lu et al. 2022, arXiv:2206.00927)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            return SigmaSpacing.EXPONENTIAL.sigmas(steps, model.greatest(), model.least());
        }
    },

    /** {@link SigmaSpacing#BETA}. */
    BETA("quantiles of a Beta distribution (Lee et al. 2024, arXiv:2407.12173)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            return SigmaSpacing.BETA.sigmas(steps, model.greatest(), model.least());
        }
    },

    /**
     * Mochi's and Movie Gen's: the first half of the steps takes away 0.025 of the noise in equal
     * parts, as the first of a thousand would; the others follow a parabola down to none.
     */
    LINEAR_QUADRATIC("small equal steps, then a parabola (Polyak et al. 2024, arXiv:2410.13720)") {
        @Override
        double[] sigmas(int steps, ModelSigmas model) {
            int linear = steps / 2;
            int rest = steps - linear;
            double slope = linear == 0 ? 0 : THRESHOLD / linear;
            // Noise gone at i ≥ linear: a(i − linear)² + slope·(i − linear) + THRESHOLD, 1 at the
            // end.
            double start = linear == 0 ? 0 : THRESHOLD;
            double a = (1 - start - slope * rest) / ((double) rest * rest);
            return each(
                    steps,
                    i -> {
                        double after = Math.max(0, i - linear);
                        double gone = i < linear ? slope * i : start + after * (slope + a * after);
                        return (1 - gone) * model.greatest();
                    });
        }
    },

    /** The table for Stable Diffusion 1.5. */
    AYS_SD15(
            "Align Your Steps for Stable Diffusion 1.5 (Sabour et al. 2024, arXiv:2404.14507)",
            14.6146412293,
            6.4745760956,
            3.8636745985,
            2.6946151520,
            1.8841921177,
            1.3943805092,
            0.9642583904,
            0.6523686016,
            0.3977456272,
            0.1515232662,
            0.0291671582),

    /** The table for Stable Diffusion XL. */
    AYS_SDXL(
            "Align Your Steps for Stable Diffusion XL (arXiv:2404.14507)",
            14.6146412293,
            6.3184485287,
            3.7681790315,
            2.1811480769,
            1.3405244945,
            0.8620721141,
            0.5550693289,
            0.3798540708,
            0.2332364134,
            0.1114188177,
            0.0291671582);

    private static final double THRESHOLD = 0.025;

    private final String description;
    private final double[] table;

    LevelSpacing(String description, double... table) {
        this.description = description;
        this.table = table;
    }

    /** What the spacing is called on the command line. */
    public String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** One line on it: what it is, and its paper. */
    public String description() {
        return description;
    }

    /** The names of all. */
    public static List<String> ids() {
        return Arrays.stream(values()).map(LevelSpacing::id).toList();
    }

    /**
     * A spacing by its name.
     *
     * @throws IllegalArgumentException if there is none
     */
    public static LevelSpacing named(String id) {
        return Arrays.stream(values())
                .filter(spacing -> spacing.id().equals(id))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "no noise levels are called '"
                                                + id
                                                + "'; there are "
                                                + String.join(", ", ids())));
    }

    /**
     * The sigmas where the network is called, greatest first: by default those of a table, whose
     * logarithms are interpolated.
     *
     * @throws IllegalArgumentException if they are of another kind of model
     */
    double[] sigmas(int steps, ModelSigmas model) {
        if (model.isFlow()) {
            throw new IllegalArgumentException(
                    "the noise levels " + id() + " are not those of a flow; take another spacing");
        }
        return each(
                steps,
                i -> {
                    double index = (double) i * (table.length - 1) / steps;
                    int before = (int) index;
                    double share = index - before;
                    double from = Math.log(table[before]);
                    return Math.exp(from + share * (Math.log(table[before + 1]) - from));
                });
    }

    @FunctionalInterface
    private interface OfStep {
        double sigma(int step);
    }

    private static double[] each(int steps, OfStep of) {
        var sigmas = new double[steps];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = of.sigma(i);
        }
        return sigmas;
    }

    private static double share(int i, int steps) {
        return steps == 1 ? 0 : (double) i / (steps - 1);
    }
}
