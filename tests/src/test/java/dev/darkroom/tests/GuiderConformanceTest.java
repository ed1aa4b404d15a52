package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.guidance.InSteps;
import dev.darkroom.models.diffusion.guidance.Perturbed;
import dev.darkroom.models.diffusion.guidance.Projected;
import dev.darkroom.models.diffusion.guidance.Tangential;
import dev.darkroom.models.diffusion.guidance.ZeroInit;
import dev.darkroom.models.diffusion.guidance.ZeroStar;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Guidance equals diffusers' guiders, tensors in, tensors out, over five steps. {@code
 * -Ddarkroom.cases} points at another folder of cases.
 */
class GuiderConformanceTest {
    private static final double BOUND = 1e-5;

    private static final Perturbation SKIPPED =
            new Perturbation(Perturbation.Kind.SKIPPED, List.of(), 1);

    @Test
    void equalsDiffusersGuiders() throws IOException {
        Path folder = Cases.named("guiders");
        JsonNode table = new ObjectMapper().readTree(folder.resolve("case.json").toFile());
        try (var scope = TensorScope.open();
                var expected =
                        Safetensors.open(folder.resolve("expected.safetensors"), LoadMode.READ)) {
            Set<String> missed = new TreeSet<>(expected.names());
            double largest = 0;
            int compared = 0;
            for (JsonNode each : table.get("cases")) {
                String key = each.get("key").textValue();
                Guidance guidance = guidance(each);
                double worst = worst(guidance, each, expected, missed);
                System.out.printf("%s %s %.1e%n", key, guidance, worst);
                largest = Math.max(largest, worst);
                compared++;
            }
            for (JsonNode each : table.get("thresholds")) {
                String key = each.get("key").textValue();
                JsonNode config = each.get("config");
                Tensor clipped =
                        Clipping.dynamic(
                                        config.get("dynamic_thresholding_ratio").doubleValue(),
                                        config.get("sample_max_value").doubleValue())
                                .clip(expected.tensor(key + ".x"));
                largest = Math.max(largest, difference(expected.tensor(key + ".out"), clipped));
                missed.remove(key + ".x");
                missed.remove(key + ".out");
            }
            System.out.printf("%d guiders, largest difference %.1e%n", compared, largest);
            assertTrue(compared > 0);
            assertEquals(Set.of(), missed, "not compared");
            assertTrue(largest <= BOUND, largest + " is above " + BOUND);
        }
    }

    private static double worst(
            Guidance guidance, JsonNode each, Safetensors expected, Set<String> missed)
            throws IOException {
        String key = each.get("key").textValue();
        int steps = each.get("steps").intValue();
        List<NoiseLevel> levels =
                IntStream.range(0, steps)
                        .mapToObj(k -> NoiseLevel.varianceExploding(steps - k, 999 - 200 * k))
                        .toList();
        Tensor like = expected.tensor(key + ".cond0");
        Guidance run = guidance.over(levels, () -> like.times(0));
        double worst = 0;
        for (int k = 0; k < steps; k++) {
            String skip = missed.contains(key + ".skip" + k) ? ".skip" : ".uncond";
            var evaluator =
                    new Given(
                            Map.of(
                                    Evaluator.CONDITIONAL, expected.tensor(key + ".cond" + k),
                                    Evaluator.UNCONDITIONAL, expected.tensor(key + ".uncond" + k),
                                    Evaluator.PERTURBED, expected.tensor(key + skip + k)));
            Tensor out = run.denoise(like, levels.get(k), evaluator).x0();
            worst = Math.max(worst, difference(expected.tensor(key + ".out" + k), out));
            for (String part : List.of("cond", "uncond", "skip", "out")) {
                missed.remove(key + "." + part + k);
            }
        }
        return worst;
    }

    /** Relative to the largest magnitude. */
    private static double difference(Tensor expected, Tensor actual) {
        return expected.minus(actual).abs().max().item()
                / Math.max(1e-30, expected.abs().max().item());
    }

    /** A guider's config as a guidance. */
    private static Guidance guidance(JsonNode each) {
        JsonNode config = each.get("config");
        String name = each.get("guider").textValue();
        double given = config.get("guidance_scale").doubleValue();
        boolean original = config.path("use_original_formulation").booleanValue();
        double scale = original ? given + 1 : given; // from the conditional output on
        double rescale = config.path("guidance_rescale").asDouble();
        double start = config.path("start").asDouble();
        double stop = config.path("stop").asDouble(1);
        return switch (name) {
            case "ClassifierFreeGuidance" ->
                    new InSteps(
                            new ClassifierFree(scale, rescale, 0, Double.POSITIVE_INFINITY),
                            start,
                            stop);
            case "ClassifierFreeZeroStarGuidance" ->
                    new ZeroInit(
                            new InSteps(new ZeroStar(scale, rescale), start, stop),
                            config.path("zero_init_steps").asInt(1));
            case "AdaptiveProjectedGuidance" ->
                    new InSteps(
                            new Projected(
                                    given,
                                    rescale,
                                    config.path("eta").asDouble(1),
                                    config.path("adaptive_projected_guidance_momentum").asDouble(),
                                    config.path("adaptive_projected_guidance_rescale").asDouble(15),
                                    original),
                            start,
                            stop);
            case "TangentialClassifierFreeGuidance" -> new Tangential(scale, rescale);
            case "SkipLayerGuidance" ->
                    new Perturbed(
                            scale,
                            rescale,
                            // Without classifier-free guidance its weight counts from 1.
                            config.get("skip_layer_guidance_scale").doubleValue()
                                    - (scale > 1 ? 0 : 1),
                            SKIPPED,
                            // It never acts in the first step.
                            Math.max(config.get("skip_layer_guidance_start").doubleValue(), 1e-9),
                            config.get("skip_layer_guidance_stop").doubleValue());
            case "AutoGuidance" -> new Perturbed(1, 0, given - 1, SKIPPED, 0, 1);
            default -> throw new AssertionError("no such guidance: " + name);
        };
    }

    /** Outputs that are given, of a network that predicts the data. */
    private record Given(Map<String, Tensor> outputs) implements Evaluator {
        @Override
        public List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions) {
            return conditions.stream().map(name -> new Denoised(outputs.get(name))).toList();
        }

        @Override
        public Prediction prediction() {
            return Prediction.SAMPLE;
        }
    }
}
