package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.Ema;
import dev.darkroom.runtime.optim.LearningRate;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Muon;
import dev.darkroom.runtime.optim.Optimizer;
import dev.darkroom.runtime.optim.Optimizers;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.optim.ParameterGroups;
import dev.darkroom.training.run.Learner;

import org.jspecify.annotations.Nullable;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * How weights are changed.
 *
 * @param learningRate of AdamW
 * @param muonLearningRate of Muon, which then optimises the matrices inside numbered blocks, but
 *     not those of a text encoder: T5 does not scale its scores down, and Muon, which moves all
 *     directions alike, soon makes every token look at one other; null to leave all to AdamW
 * @param textLearningRate of AdamW for a text encoder but its token embeddings: its weights begin
 *     small, and at a rate that suits the network's others its feed-forward layers drown what tells
 *     tokens apart
 * @param embeddingLearningRate of AdamW for a text encoder's token embeddings, whose entries are
 *     seen seldom and are large
 * @param weightDecay of matrices
 * @param warmUp steps
 * @param isCosine whether the rate falls to the floor as a half cosine, or stays
 * @param floor the factor that it falls to
 * @param clip the largest norm of the gradients
 * @param averageDecay of the moving average that becomes the result; null for none
 * @param averagePower of its ramp
 * @param checkpointing whether blocks are computed again in the backward pass, which takes less
 *     memory and more time
 */
record OptimizerConfig(
        double learningRate,
        @Nullable Double muonLearningRate,
        double textLearningRate,
        double embeddingLearningRate,
        double weightDecay,
        int warmUp,
        boolean isCosine,
        double floor,
        double clip,
        @Nullable Double averageDecay,
        double averagePower,
        boolean checkpointing) {
    OptimizerConfig {
        if (averageDecay != null) {
            new Ema.Options(averageDecay, averagePower); // checks it
        }
    }

    private static final Pattern IN_A_BLOCK = Pattern.compile(".*\\.\\d+\\..*");

    static OptimizerConfig of(ConfigReader json) {
        json.only("schedule", "cosine", "constant");
        double learningRate = json.number("learningRate", 1e-4);
        return new OptimizerConfig(
                learningRate,
                json.numberOrNull("muonLearningRate"),
                json.number("textLearningRate", learningRate),
                json.number("wordLearningRate", learningRate),
                json.number("weightDecay", 0),
                json.integer("warmUp", 100),
                json.text("schedule", "cosine").equals("cosine"),
                json.number("floor", 0),
                json.number("clip", 1),
                json.numberOrNull("averageDecay"),
                Ema.Options.DEFAULTS.power(),
                json.flag("checkpointing", false));
    }

    /** This one with an average of the same decay from the start. */
    OptimizerConfig withoutRamp(double decay) {
        return new OptimizerConfig(
                learningRate,
                muonLearningRate,
                textLearningRate,
                embeddingLearningRate,
                weightDecay,
                warmUp,
                isCosine,
                floor,
                clip,
                decay,
                Double.POSITIVE_INFINITY,
                checkpointing);
    }

    LearningRate schedule(long steps) {
        return isCosine ? LearningRate.cosine(warmUp, steps, floor) : LearningRate.constant(warmUp);
    }

    /**
     * Returns what learns in networks that are being trained.
     *
     * @param networks by the names that their parameters begin with
     */
    Learner learner(Map<String, ? extends Module> networks) {
        return learner(networks.values(), groups(networks));
    }

    /** Returns what is optimised alike; the first group is Muon's, if there is one. */
    List<ParameterGroup> groups(Map<String, ? extends Module> networks) {
        var inBlocks = new LinkedHashMap<String, Parameter>();
        var matrices = new LinkedHashMap<String, Parameter>();
        var others = new LinkedHashMap<String, Parameter>();
        var textMatrices = new LinkedHashMap<String, Parameter>();
        var textOthers = new LinkedHashMap<String, Parameter>();
        var embeddings = new LinkedHashMap<String, Parameter>();
        networks.forEach(
                (prefix, network) -> {
                    ParameterGroups groups = ParameterGroups.of(network);
                    TextEncoder text = network instanceof TextEncoder encoder ? encoder : null;
                    groups.matrices()
                            .forEach(
                                    (name, each) -> {
                                        boolean in = IN_A_BLOCK.matcher(name).matches();
                                        (text != null ? textMatrices : in ? inBlocks : matrices)
                                                .put(prefix + "." + name, each);
                                    });
                    groups.others()
                            .forEach(
                                    (name, each) -> {
                                        boolean isEmbedding =
                                                text != null && each == text.tokenEmbeddings();
                                        (isEmbedding
                                                        ? embeddings
                                                        : text != null ? textOthers : others)
                                                .put(prefix + "." + name, each);
                                    });
                });
        return List.of(
                new ParameterGroup("matrices in blocks", inBlocks, blockRate(), weightDecay),
                new ParameterGroup("other matrices", matrices, learningRate, weightDecay),
                new ParameterGroup("others", others, learningRate, 0),
                new ParameterGroup("text matrices", textMatrices, textLearningRate, weightDecay),
                new ParameterGroup("text others", textOthers, textLearningRate, 0),
                new ParameterGroup("token embeddings", embeddings, embeddingLearningRate, 0));
    }

    /**
     * Returns what learns in parameters that are all optimised alike.
     *
     * @param network that they are in, or adapters of
     */
    Learner learnerOf(Map<String, Parameter> parameters, Module network) {
        return learner(
                List.of(network),
                List.of(
                        new ParameterGroup("in blocks", parameters, blockRate(), weightDecay),
                        new ParameterGroup("others", Map.of(), learningRate, 0)));
    }

    private double blockRate() {
        return muonLearningRate == null ? learningRate : muonLearningRate;
    }

    /**
     * @param networks that gradients are recorded in
     * @param groups of which the first is Muon's, if there is one
     */
    private Learner learner(Collection<? extends Module> networks, List<ParameterGroup> groups) {
        var weights = new LinkedHashMap<String, Parameter>();
        groups.forEach(group -> weights.putAll(group.parameters()));
        boolean narrow =
                weights.values().stream().anyMatch(each -> each.value().dtype() != DType.FLOAT32);
        Optimizer optimizer =
                narrow ? new MasterWeights(groups, this::optimizer) : optimizer(groups);
        return Building.with(
                optimizer,
                made -> {
                    Ema average = average(made, weights);
                    if (!checkpointing) {
                        return new Learner(weights, made, average);
                    }
                    var checkpoints = new Checkpointing();
                    networks.forEach(network -> network.segments(checkpoints));
                    return new Learner(weights, made, average, checkpoints);
                });
    }

    private @Nullable Ema average(Optimizer optimizer, Map<String, Parameter> weights) {
        var optimised = optimizer instanceof MasterWeights masters ? masters.masters() : weights;
        return averageDecay == null
                ? null
                : new Ema(optimised, new Ema.Options(averageDecay, averagePower));
    }

    private Optimizer optimizer(List<ParameterGroup> groups) {
        if (muonLearningRate == null) {
            return new AdamW(groups, AdamW.Options.DEFAULTS);
        }
        var muon =
                new Muon.Options(
                        0.95, true, 5, Muon.Scale.RATIO, Muon.Options.DEFAULTS.iteration());
        List<ParameterGroup> others = groups.subList(1, groups.size());
        return Building.with(
                new Muon(groups.subList(0, 1), muon),
                first ->
                        Optimizers.together(
                                List.of(first, new AdamW(others, AdamW.Options.DEFAULTS))));
    }
}
