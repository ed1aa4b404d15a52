package dev.darkroom.models.pipeline;

import dev.darkroom.models.family.Report;
import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a run reports beside its pictures. */
final class Notes implements Report {
    private final long begin = System.nanoTime();
    private long phase = begin;
    private final Map<String, Object> used = new LinkedHashMap<>();
    private final List<String> warnings = new ArrayList<>();
    private final Map<String, Double> seconds = new LinkedHashMap<>();

    private final Trace trace;

    Notes(Trace trace) {
        this.trace = trace;
    }

    @Override
    public void used(String name, Object value) {
        used.put(name, value);
    }

    @Override
    public void warn(String warning) {
        if (!warnings.contains(warning)) {
            warnings.add(warning);
        }
    }

    @Override
    public void traced(String name, Tensor value) {
        trace.named(name, value);
    }

    /** Ends a phase, which began where the one before ended. */
    void phaseDone(String name) {
        long now = System.nanoTime();
        seconds.put(name, (now - phase) / 1e9);
        phase = now;
    }

    SampleResult result(List<Picture> pictures, SampleRequest request) {
        seconds.put("total", (System.nanoTime() - begin) / 1e9);
        return new SampleResult(
                List.copyOf(pictures),
                request,
                Collections.unmodifiableMap(used),
                List.copyOf(warnings),
                Collections.unmodifiableMap(seconds));
    }
}
