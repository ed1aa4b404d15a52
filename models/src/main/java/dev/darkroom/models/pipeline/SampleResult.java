package dev.darkroom.models.pipeline;

import java.util.List;
import java.util.Map;

/**
 * The pictures of a request and how they came about.
 *
 * @param pictures as many as the request's batch
 * @param request what was asked for
 * @param used every setting that was in force, by name, in a fixed order: those of the request and
 *     those that the checkpoint supplied; values are numbers, texts, booleans or lists of them
 * @param warnings what the caller may want to know, such as a text that was cut
 * @param seconds wall time by phase: {@code encode}, {@code sample}, {@code decode}, {@code total}
 */
public record SampleResult(
        List<Picture> pictures,
        SampleRequest request,
        Map<String, Object> used,
        List<String> warnings,
        Map<String, Double> seconds) {}
