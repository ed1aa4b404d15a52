package dev.darkroom.common;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A name with settings, written {@code NAME} or {@code NAME:key=value,…}.
 *
 * @param settings values by their keys, in order
 */
public record NameAndSettings(String name, Map<String, String> settings) {
    /** Keeps the settings as they are now. */
    public NameAndSettings {
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
    }

    /**
     * Reads a name and settings.
     *
     * @param what they are, for messages
     * @throws IllegalArgumentException if a setting is not key=value, or a key comes twice
     */
    public static NameAndSettings parse(String what, String text) {
        int colon = text.indexOf(':');
        var settings = new LinkedHashMap<String, String>();
        if (colon >= 0) {
            for (String each : text.substring(colon + 1).split(",", -1)) {
                int equals = each.indexOf('=');
                if (equals < 0) {
                    throw new IllegalArgumentException(
                            "'" + each + "' of the " + what + " '" + text + "' is not key=value");
                }
                String key = each.substring(0, equals);
                if (settings.put(key, each.substring(equals + 1)) != null) {
                    throw new IllegalArgumentException(
                            "the " + what + " '" + text + "' sets " + key + " twice");
                }
            }
        }
        return new NameAndSettings(colon < 0 ? text : text.substring(0, colon), settings);
    }
}
