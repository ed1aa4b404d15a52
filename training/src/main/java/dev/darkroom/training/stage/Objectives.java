package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.training.objective.Coupling;
import dev.darkroom.training.objective.Diffusion;
import dev.darkroom.training.objective.FlowMatching;
import dev.darkroom.training.objective.FlowTimes;
import dev.darkroom.training.objective.LearnedVariance;
import dev.darkroom.training.objective.LossWeight;
import dev.darkroom.training.objective.MeanFlow;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.objective.Shortcut;

import java.util.Arrays;

/** The objective of a network that is sampled by a scheduler. */
final class Objectives {
    private static final String FLOW_MAP = "flowMap";
    private static final String MEAN_FLOW = "mean-flow";
    private static final String SHORTCUT = "shortcut";
    private static final String[] OF_FLOWS = {
        "times",
        "timesMean",
        "timesDeviation",
        "coupling",
        FLOW_MAP,
        "instantaneous",
        "power",
        "finest"
    };
    private static final String[] OF_SCHEDULES = {
        "minSnr", "stratified", "shift", "varianceWeight"
    };

    private Objectives() {}

    /**
     * Returns the objective that fits what the scheduler says that the network predicts.
     *
     * @param json the section of the config
     */
    static Objective read(ConfigReader json, Scheduler sampler) {
        var process = sampler.process();
        Prediction prediction = process.trained();
        return process.schedule() == null
                ? flow(json, sampler.isFlowMap())
                : diffusion(json, prediction, process.schedule());
    }

    private static Objective flow(ConfigReader json, boolean isFlowMap) {
        refuse(json, "flow_prediction", OF_SCHEDULES);
        json.only("times", "uniform", "logit-normal");
        FlowTimes times =
                json.text("times", "logit-normal").equals("uniform")
                        ? FlowTimes.UNIFORM
                        : FlowTimes.logitNormal(
                                json.number("timesMean", 0), json.number("timesDeviation", 1));
        if (isFlowMap || json.has(FLOW_MAP)) {
            return flowMap(json, times);
        }
        refuse(
                json,
                "flow matching; say which flowMap is trained",
                "instantaneous",
                "power",
                "finest");
        json.only("coupling", "independent", "optimal-transport");
        return new FlowMatching(
                times,
                json.text("coupling", "independent").equals("independent")
                        ? Coupling.INDEPENDENT
                        : Coupling.OPTIMAL_TRANSPORT);
    }

    private static Objective flowMap(ConfigReader json, FlowTimes times) {
        refuse(json, "a flow map, whose noise is independent", "coupling");
        json.only(FLOW_MAP, MEAN_FLOW, SHORTCUT);
        double instantaneous = json.number("instantaneous", 0.75);
        if (json.text(FLOW_MAP, MEAN_FLOW).equals(SHORTCUT)) {
            refuse(json, SHORTCUT, "power");
            return new Shortcut(times, instantaneous, json.integer("finest", 128));
        }
        refuse(json, MEAN_FLOW, "finest");
        return new MeanFlow(times, instantaneous, json.number("power", 1));
    }

    private static Objective diffusion(
            ConfigReader json, Prediction prediction, NoiseSchedule schedule) {
        refuse(json, "epsilon, v_prediction and sample", OF_FLOWS);
        Double variance = json.numberOrNull("varianceWeight");
        if (variance != null) {
            refuse(json, "a learned variance", "minSnr", "stratified", "shift");
            return new LearnedVariance(schedule, prediction, variance);
        }
        Double gamma = json.numberOrNull("minSnr");
        return new Diffusion(
                schedule,
                prediction,
                gamma == null ? LossWeight.UNIFORM : LossWeight.minSnr(gamma),
                json.flag("stratified", true),
                json.number("shift", 1));
    }

    private static void refuse(ConfigReader json, String prediction, String... options) {
        Arrays.stream(options)
                .filter(json::has)
                .findFirst()
                .ifPresent(
                        option -> {
                            throw new IllegalArgumentException(
                                    option + " has no effect on " + prediction);
                        });
    }
}
