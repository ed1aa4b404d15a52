package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.List;

/**
 * A checkpoint does not fit the network that its config describes. The message names the source and
 * lists what is missing, unexpected or of another shape or kind, all at once.
 */
public final class WeightsException extends IOException {
    private static final long serialVersionUID = 1L;

    /** How many keys of each kind the message lists. */
    private static final int LISTED = 5;

    /** How many characters of each it shows. */
    private static final int LONGEST = 200;

    private final transient List<String> missing;
    private final transient List<String> unexpected;
    private final transient List<Mismatch> mismatches;

    /**
     * A tensor that can't be the parameter of its name.
     *
     * @param key the name
     * @param expected shape by the config
     * @param actual what the checkpoint has: a shape or a type
     */
    public record Mismatch(String key, Shape expected, String actual) {
        @Override
        public String toString() {
            return key + " (" + actual + " instead of " + expected + ")";
        }
    }

    WeightsException(
            String source,
            String network,
            List<String> missing,
            List<String> unexpected,
            List<Mismatch> mismatches) {
        super(message(source, network, missing, unexpected, mismatches));
        this.missing = List.copyOf(missing);
        this.unexpected = List.copyOf(unexpected);
        this.mismatches = List.copyOf(mismatches);
    }

    private WeightsException(String message) {
        super(message);
        missing = List.of();
        unexpected = List.of();
        mismatches = List.of();
    }

    /**
     * Makes the exception for float8 weights that are only right once they are multiplied by
     * scales, which are missing or of a kind that is not known.
     */
    static WeightsException scaled(WeightSource source, String network, String key) {
        return new WeightsException(
                source.name()
                        + " can't be read into "
                        + network
                        + ": "
                        + key
                        + " ("
                        + source.describe(key)
                        + ") is float8 that is to be multiplied by scales, but there is neither one"
                        + " scale_weight or weight_scale for the matrix nor one for each row beside"
                        + " it. Use the checkpoint in float16, bfloat16 or float32.");
    }

    /** Returns the warning where nothing is wrong but that there are tensors without a use. */
    static String extra(String source, String network, List<String> keys) {
        var message = new StringBuilder();
        message.append(source).append(" has more than ").append(network).append(" needs");
        append(message, "ignored", keys);
        return message.toString();
    }

    /** Returns the parameters that the checkpoint lacks. */
    public List<String> missing() {
        return missing;
    }

    /** Returns the tensors of the checkpoint that the network has no parameter for. */
    public List<String> unexpected() {
        return unexpected;
    }

    /** Returns the tensors of another shape or kind than their parameters. */
    public List<Mismatch> mismatches() {
        return mismatches;
    }

    private static String message(
            String source,
            String network,
            List<String> missing,
            List<String> unexpected,
            List<Mismatch> mismatches) {
        var message = new StringBuilder();
        message.append(source).append(" does not fit ").append(network).append(" as configured");
        append(message, "missing", missing);
        append(message, "unexpected", unexpected);
        append(message, "of another shape or type", mismatches);
        return message.append(". Check that config and weights belong together.").toString();
    }

    private static void append(StringBuilder message, String what, List<?> keys) {
        if (keys.isEmpty()) {
            return;
        }
        message.append("; ").append(keys.size()).append(' ').append(what).append(": ");
        for (int i = 0; i < Math.min(LISTED, keys.size()); i++) {
            message.append(i == 0 ? "" : ", ").append(shortened(keys.get(i).toString()));
        }
        if (keys.size() > LISTED) {
            message.append(" and ").append(keys.size() - LISTED).append(" more");
        }
    }

    /** Shortens a key: a file may have a name of any length and with any characters. */
    private static String shortened(String key) {
        String line = key.replaceAll("\\p{Cntrl}", "?");
        return line.length() <= LONGEST ? line : line.substring(0, LONGEST) + "…";
    }
}
