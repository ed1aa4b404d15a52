package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.common.NameAndSettings;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A guidance by its name and settings, such as {@code apg:eta=0,momentum=-0.5}, whose weight is the
 * request's. A value, which can be kept, sent and compared.
 *
 * @param kind which guidance
 * @param settings their values by their names; those left out have the kind's defaults
 * @param scale the weight, 1 or less for none
 */
public record NamedGuidance(GuidanceKind kind, Map<String, String> settings, double scale)
        implements Guidance {
    /**
     * Checks the settings.
     *
     * @throws IllegalArgumentException if the kind has no such setting, or a value is out of range
     */
    public NamedGuidance {
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
        kind.make(scale, settings);
    }

    /**
     * Reads a name and settings.
     *
     * @param text {@code NAME} or {@code NAME:key=value,…}
     * @return without guidance until the request's weight is known
     * @throws IllegalArgumentException if there is no such name or setting, or a value is no number
     *     or out of range
     */
    public static NamedGuidance parse(String text) {
        var parsed = NameAndSettings.parse("guidance", text);
        return new NamedGuidance(GuidanceKind.named(parsed.name()), parsed.settings(), 1);
    }

    @Override
    public @Nullable Perturbation perturbation() {
        return made().perturbation();
    }

    private Guidance made() {
        return kind.make(scale, settings);
    }

    @Override
    public NamedGuidance scaled(double weight) {
        return new NamedGuidance(kind, settings, weight);
    }

    @Override
    public List<List<String>> evaluations() {
        return made().evaluations();
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        return made().denoise(x, at, evaluator);
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        return made().over(levels, zeros);
    }

    /** What {@link #parse} reads: the name and the settings that were given. */
    @Override
    public String toString() {
        return settings.entrySet().stream()
                .map(each -> each.getKey() + "=" + each.getValue())
                .collect(
                        Collectors.joining(
                                ",", settings.isEmpty() ? kind.id() : kind.id() + ":", ""));
    }
}
