package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Churn;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * What is set with a sampler's name: diffusers' options of its class, and its arguments of {@code
 * step}.
 *
 * @param options of the class, to be read as they are asked for
 * @param arguments of a step
 */
record SamplerSettings(Map<String, Object> options, Map<String, String> arguments) {
    private static final String CHURN = "s_churn";
    private static final List<String> ARGUMENTS =
            List.of("eta", "order", CHURN, "s_tmin", "s_tmax", "s_noise");

    /**
     * Sorts settings.
     *
     * @throws IllegalArgumentException if there is no such option of any class, or a value is no
     *     number
     */
    static SamplerSettings of(String sampler, Map<String, String> settings) {
        var options = new LinkedHashMap<String, Object>();
        var arguments = new LinkedHashMap<String, String>();
        settings.forEach(
                (key, value) -> {
                    if (ARGUMENTS.contains(key)) {
                        arguments.put(key, value);
                    } else if (SchedulerConfig.isOption(key)) {
                        options.put(key, value);
                    } else {
                        var all = new TreeSet<>(SchedulerConfig.options());
                        all.addAll(ARGUMENTS);
                        throw new IllegalArgumentException(
                                "sampler "
                                        + sampler
                                        + " has no setting '"
                                        + key
                                        + "'; samplers have "
                                        + String.join(", ", all));
                    }
                });
        var made = new SamplerSettings(options, arguments);
        made.added(SchedulerArguments.NONE);
        return made;
    }

    /** A call's arguments with these, where it has none of its own. */
    SchedulerArguments added(SchedulerArguments call) {
        SchedulerArguments all = call;
        Double eta = number("eta");
        if (call.eta() == null && eta != null) {
            all = all.withEta(eta);
        }
        Double order = number("order");
        if (order != null) {
            if (order != Math.rint(order)) {
                throw new IllegalArgumentException("order is a whole number, not " + order);
            }
            all = all.withOrder(order.intValue());
        }
        var ofChurn = new ArrayList<>(arguments.keySet());
        ofChurn.removeIf(key -> !key.startsWith("s_"));
        Double churn = number(CHURN);
        if (churn == null && !ofChurn.isEmpty()) {
            throw new IllegalArgumentException(ofChurn.getFirst() + " goes with " + CHURN);
        }
        return churn == null
                ? all
                : all.withChurn(
                        new Churn(
                                churn,
                                number("s_tmin", 0),
                                number("s_tmax", Double.POSITIVE_INFINITY),
                                number("s_noise", 1)));
    }

    private @Nullable Double number(String key) {
        String value = arguments.get(key);
        return value == null ? null : Double.valueOf(parsed(key, value));
    }

    private double number(String key, double missing) {
        Double value = number(key);
        return value == null ? missing : value;
    }

    /**
     * Reads a number.
     *
     * @throws IllegalArgumentException if it is none
     */
    static double parsed(String key, String value) {
        try {
            return Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(key + " is a number, not '" + value + "'", e);
        }
    }
}
