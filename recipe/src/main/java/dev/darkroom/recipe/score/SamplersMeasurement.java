package dev.darkroom.recipe.score;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.recipe.score.Report.Judged;

import org.jspecify.annotations.Nullable;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Measures samplers one after another, but not what is known already. */
final class SamplersMeasurement {
    /**
     * A sampler for a model.
     *
     * @param scheduler null if it does not fit the model
     * @param reason why not
     */
    record Choice(@Nullable Scheduler scheduler, String reason) {}

    /** Reads the scorer, which takes a minute. */
    interface Scoring {
        Scorer read() throws IOException, InterruptedException;
    }

    private final CaptionBatches batches;
    private final Scoring scoring;
    private @Nullable Scorer scorer;
    private final List<Prompt> prompts;
    private final double guidance;
    private final String shown;
    private final List<SamplerPoint> known;
    private final List<SamplerPoint> points = new ArrayList<>();
    private final Map<String, String> refused = new LinkedHashMap<>();
    private final Map<String, Map<Integer, BufferedImage>> strip = new LinkedHashMap<>();

    /**
     * @param scoring is asked once something is measured
     * @param shown the caption of the strip
     * @param known points of the same settings
     */
    SamplersMeasurement(
            CaptionBatches batches,
            Scoring scoring,
            List<Prompt> prompts,
            double guidance,
            String shown,
            List<SamplerPoint> known) {
        this.batches = batches;
        this.scoring = scoring;
        this.prompts = prompts;
        this.guidance = guidance;
        this.shown = shown;
        this.known = known;
    }

    /**
     * Measures a sampler with as many steps as some evaluations allow.
     *
     * @return null if that was known, or can't be sampled
     */
    @Nullable SamplerPoint measure(String sampler, Choice choice, int most)
            throws IOException, InterruptedException {
        Scheduler scheduler = choice.scheduler;
        if (scheduler == null) {
            refused.put(sampler, choice.reason);
            return null;
        }
        int steps = steps(scheduler, most);
        if (steps == 0) {
            refused.put(sampler + ", " + most + " evaluations", "a step takes more");
            return null;
        }
        Optional<SamplerPoint> before =
                Stream.concat(points.stream(), known.stream())
                        .filter(point -> point.sampler().equals(sampler) && point.steps() == steps)
                        .findFirst();
        List<String> captions = new ArrayList<>();
        if (before.isEmpty()) {
            prompts.forEach(prompt -> captions.add(prompt.text()));
        }
        captions.add(shown);
        try {
            List<BufferedImage> pictures =
                    batches.sample(
                            captions,
                            SampleRequest.builder()
                                    .steps(steps)
                                    .guidanceScale(weight(sampler))
                                    .sampler(sampler)
                                    .seed(1 + prompts.size() - (captions.size() - 1)));
            strip.computeIfAbsent(sampler, any -> new LinkedHashMap<>())
                    .put(most, pictures.getLast());
            SamplerPoint point =
                    before.isPresent()
                            ? before.get()
                            : SamplerPoint.of(
                                    sampler,
                                    steps,
                                    evaluations(scheduler, steps),
                                    judged(pictures));
            if (!points.contains(point)) {
                points.add(point);
            }
            return before.isEmpty() ? point : null;
        } catch (PipelineException e) {
            refused.put(sampler + ", " + steps + " steps", String.valueOf(e.getMessage()));
            return null;
        }
    }

    /** CFG++ has weights of its own, which the request leaves to it. */
    private @Nullable Double weight(String sampler) {
        return Scheduler.isOfCfgPlusPlus(sampler) ? null : Double.valueOf(guidance);
    }

    private List<Judged> judged(List<BufferedImage> pictures)
            throws IOException, InterruptedException {
        if (scorer == null) {
            scorer = scoring.read();
        }
        List<Judged> judged = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            judged.add(new Judged(prompts.get(i), 1 + i, scorer.judge(pictures.get(i))));
        }
        return judged;
    }

    /** The most steps with no more than some evaluations; 0 if there are none. */
    static int steps(Scheduler scheduler, int evaluations) {
        int steps = Math.min(evaluations, scheduler.mostSteps());
        while (steps > 0 && evaluations(scheduler, steps) > evaluations) {
            steps--;
        }
        return steps;
    }

    /** How often a number of steps evaluates the network; more than ever if it can't be taken. */
    private static int evaluations(Scheduler scheduler, int steps) {
        try {
            return scheduler.plan(steps).evaluations().size();
        } catch (IllegalArgumentException e) {
            return Integer.MAX_VALUE;
        }
    }

    /** What was asked for, in the order of the samplers' names and of evaluations. */
    List<SamplerPoint> points() {
        return sorted(points.stream());
    }

    /** The same, and what else was known. */
    List<SamplerPoint> all() {
        return sorted(Stream.concat(points.stream(), known.stream()).distinct());
    }

    private static List<SamplerPoint> sorted(Stream<SamplerPoint> points) {
        List<String> names = Scheduler.names();
        return points.sorted(
                        Comparator.comparingInt(
                                        (SamplerPoint point) -> names.indexOf(point.sampler()))
                                .thenComparingInt(SamplerPoint::evaluations))
                .toList();
    }

    /** What can't be sampled, and why. */
    Map<String, String> refused() {
        return refused;
    }

    /** A picture of each sampler by evaluations. */
    Map<String, Map<Integer, BufferedImage>> strip() {
        return strip;
    }
}
