package dev.darkroom.models.family.dit;

import dev.darkroom.models.config.ConfigReader;

import org.jspecify.annotations.Nullable;

/**
 * How a network of two times, the student of a flow map, is conditioned on the second, as AnyFlow's
 * transformers are (arXiv:2605.13724; diffusers' {@code AnyFlowTransformer3DModel}): by embedders
 * of its own, whose vectors are mixed with those of the first time.
 *
 * @param gateValue the share of the second embedding, from 0 to 1; {@code gate_value}
 * @param interval whether it embeds the length of the step, t − r, rather than its end r; {@code
 *     deltatime_type} {@code t-r}
 */
public record SecondTime(double gateValue, boolean interval) {
    private static final String GATE_VALUE = "gate_value";
    private static final String DELTATIME_TYPE = "deltatime_type";
    private static final String INTERVAL = "t-r";

    public SecondTime {
        if (!(gateValue >= 0 && gateValue <= 1)) {
            throw new IllegalArgumentException(
                    GATE_VALUE + " is a share from 0 to 1, not " + gateValue);
        }
    }

    /** Reads the options; null for a network of one time, which has no {@code gate_value}. */
    static @Nullable SecondTime read(ConfigReader json) {
        Double gateValue = json.numberOrNull(GATE_VALUE);
        json.only(DELTATIME_TYPE, "r", INTERVAL);
        String type = json.textOrNull(DELTATIME_TYPE);
        if (gateValue != null) {
            return new SecondTime(gateValue, INTERVAL.equals(type));
        }
        if (type != null) {
            throw new IllegalArgumentException(
                    DELTATIME_TYPE
                            + " is of a network of two times; give its "
                            + GATE_VALUE
                            + " too, AnyFlow's is 0.25");
        }
        return null;
    }
}
