package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.Report;

import org.jspecify.annotations.Nullable;

/**
 * A weaker model of the same task beside a pipeline's, for {@linkplain
 * dev.darkroom.models.diffusion.guidance.Autoguided autoguidance}.
 *
 * @param source is closed with the pipeline
 * @param model whose network and conditioner are used
 */
record WeakerModel(Source source, Model model) {
    /** The condition of the weaker network, among those of a request. */
    static final String CONDITION = "weaker";

    /** Differences of ᾱ that are no other schedule: rounding, and how ᾱ = 0 is made finite. */
    private static final double EPS = 1e-6;

    /**
     * Checks that it can guide a model.
     *
     * @throws IllegalArgumentException if it is of another family, has other latents, another
     *     process, or predicts something else; or if a network is not guided this way
     */
    void require(Model guided) {
        DiffusionNetwork network = guided.network();
        DiffusionNetwork weaker = model.network();
        if (network.takesGuidance() || weaker.takesGuidance()) {
            throw wrong(
                    (network.takesGuidance() ? "the model's" : "its")
                            + " network takes the weight of the guidance as an input");
        }
        requireSame("network", network.getClass(), weaker.getClass());
        requireSame("conditioner", guided.conditioner().getClass(), conditioner());
        requireSame("channels of the latents", network.latentChannels(), weaker.latentChannels());
        requireSame(
                "channels that its network is shown",
                network.shownChannels(),
                weaker.shownChannels());
        ForwardProcess process = guided.samplers().own().process();
        ForwardProcess other = model.samplers().own().process();
        requireSame("prediction", process.prediction(), other.prediction());
        requireSame("training timesteps", process.trainTimesteps(), other.trainTimesteps());
        requireSameNoise(process.schedule(), other.schedule());
    }

    private Class<?> conditioner() {
        return model.conditioner().getClass();
    }

    private void requireSame(String what, Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw wrong(
                    "its "
                            + what
                            + ": "
                            + name(actual)
                            + ", where the model has "
                            + name(expected));
        }
    }

    private static Object name(Object value) {
        return value instanceof Class<?> type ? type.getSimpleName() : value;
    }

    private void requireSameNoise(
            @Nullable NoiseSchedule expected, @Nullable NoiseSchedule actual) {
        if (expected == null || actual == null) { // of flows, which their prediction tells apart
            return;
        }
        for (int t = 0; t < expected.timesteps(); t++) {
            if (Math.abs(expected.alphaBar(t) - actual.alphaBar(t)) > EPS) {
                throw wrong(
                        "its noise schedule: ᾱ = "
                                + actual.alphaBar(t)
                                + " at timestep "
                                + t
                                + ", where the model has "
                                + expected.alphaBar(t));
            }
        }
    }

    private IllegalArgumentException wrong(String why) {
        return new IllegalArgumentException(
                source.name()
                        + " can't be the weaker model of autoguidance: "
                        + why
                        + "; name an earlier or smaller checkpoint of the same model");
    }

    /**
     * Checks that a request leads away from the weaker model alone.
     *
     * @throws IllegalArgumentException if it also leads away from something else
     */
    void require(ResolvedRequest run) {
        if (run.asks(Evaluator.EMPTY)) {
            throw new IllegalArgumentException(
                    "the guidance "
                            + run.guidance()
                            + " compares prompts, and autoguidance leads away from a weaker model;"
                            + " leave out one of them");
        }
        if (run.asks(Evaluator.UNCONDITIONAL) && !run.inputs().negativeText().isEmpty()) {
            throw new IllegalArgumentException(
                    "autoguidance leads away from a weaker model and not from a negative prompt;"
                            + " leave out one of them");
        }
    }

    /** The condition of a request, as the weaker model encodes it. */
    Condition encode(ResolvedRequest run) {
        return model.conditioner().encode(run.inputs(), run.sampled(), Report.NONE);
    }
}
