package dev.darkroom.common;

import java.util.Locale;
import java.util.regex.Pattern;

/** Sizes in bytes as people write and read them. Units are powers of 1,024. */
public final class ByteSize {
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final Pattern TEXT = Pattern.compile("(\\d{1,19})\\s*([kmgt]?)(?:i?b)?");

    private ByteSize() {}

    /**
     * Formats a size with two or three digits: {@code 512 B}, {@code 1.50 KiB}, {@code 12.3 GiB}.
     *
     * @param bytes at least 0
     */
    public static String format(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes / 1024.0;
        int unit = 0;
        // 999.5 would be printed with four digits.
        while (value >= 999.5 && unit < UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
        return String.format(Locale.ROOT, "%." + decimals + "f %s", value, UNITS[unit]);
    }

    /**
     * Reads a size: a whole number, alone or followed by k, m, g or t ({@code 8g}, {@code 512 MiB},
     * {@code 1000000}).
     *
     * @throws IllegalArgumentException if the text is no such size or overflows
     */
    public static long parse(String text) {
        var match = TEXT.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (!match.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not a size: write a number of bytes, or one like 8g");
        }
        int power = " kmgt".indexOf(match.group(2).isEmpty() ? " " : match.group(2));
        try {
            return Math.multiplyExact(Long.parseLong(match.group(1)), 1L << (10 * power));
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is more bytes than can be counted", e);
        }
    }
}
