package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * The repairs that CLIP's tokenizer makes to a text before it looks at it, as ftfy 6.3's {@code
 * fix_text} (Robyn Speer, Apache-2.0) makes them.
 */
final class TextRepair {
    /** Repairs can make new ones possible; only text made to do so needs more than a few rounds. */
    private static final int MOST_ROUNDS = 32;

    private static final int LONGEST_ENTITY = 24;
    private static final Map<String, String> ENTITIES = readEntities();
    private static final Pattern NUMBER = Pattern.compile("#(?:[0-9]+|[xX][0-9a-fA-F]+)");
    private static final Pattern TERMINAL_ESCAPE = Pattern.compile("\u001b\\[[\\p{Nd};]*[a-zA-Z]");
    private static final Charset WINDOWS_1252 = Charset.forName("windows-1252");

    private TextRepair() {}

    /** Repairs a text line by line. */
    static String repair(String text) {
        var out = new StringBuilder(text.length());
        boolean unescape = true;
        for (int start = 0; start < text.length(); ) {
            int newline = text.indexOf('\n', start);
            int end = newline < 0 ? text.length() : newline + 1;
            var line = text.substring(start, end);
            unescape &= line.indexOf('<') < 0; // what has tags means its entities
            out.append(repairLine(line, unescape));
            start = end;
        }
        return out.toString();
    }

    private static String repairLine(String line, boolean unescape) {
        if (isPlain(line)) {
            return line;
        }
        for (int round = 0; round < MOST_ROUNDS; round++) {
            var before = line;
            if (unescape) {
                line = unescapeHtml(line);
            }
            line = Mojibake.fix(line);
            line = replaceCharacters(line);
            line = UnicodeVersion.V14.replaceAll(TERMINAL_ESCAPE, line, "");
            line = removeControls(line);
            line = UnicodeVersion.V14.normalize(line, Normalizer.Form.NFC);
            if (line.equals(before)) {
                break;
            }
        }
        return line;
    }

    /** Whether a line is ASCII with nothing to repair, as most are. */
    private static boolean isPlain(String line) {
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '&' || c > '~' || (c < ' ' && c != '\n' && c != '\t')) {
                return false;
            }
        }
        return true;
    }

    /** C1 controls, ligatures, widths, quotes and line breaks. */
    private static String replaceCharacters(String line) {
        var out = new StringBuilder(line.length());
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            String replacement = c < 0x80 ? null : replacement(c);
            if (replacement != null) {
                out.append(replacement);
            } else if (c == '\r') {
                boolean pair = i + 1 < line.length() && line.charAt(i + 1) == '\n';
                out.append(pair ? "" : "\n");
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private static @Nullable String replacement(char c) {
        if (isC1(c)) {
            // Meant as Windows-1252, which leaves five of them undefined.
            var meant = new String(new byte[] {(byte) c}, WINDOWS_1252);
            return meant.equals("\uFFFD") ? null : meant;
        }
        if ((c >= '\u2018' && c <= '\u201B') || c == '\u02BC') {
            return "'";
        }
        if (c >= '\u201C' && c <= '\u201F') {
            return "\"";
        }
        if (c == '\u2028' || c == '\u2029') {
            return "\n";
        }
        if (c == '\uFB05') {
            return "\u017Ft"; // a long s stays long
        }
        boolean ligature =
                c == '\u0132'
                        || c == '\u0133'
                        || c == '\u0149'
                        || (c >= '\u01C4' && c <= '\u01CC')
                        || (c >= '\u01F1' && c <= '\u01F3')
                        || (c >= '\uFB00' && c <= '\uFB06');
        boolean oddWidth = c == '\u3000' || (c >= '\uFF01' && c <= '\uFFEF');
        return ligature || oddWidth
                ? Normalizer.normalize(String.valueOf(c), Normalizer.Form.NFKC)
                : null;
    }

    /** The control characters above ASCII. */
    static boolean isC1(int c) {
        return c >= 0x80 && c < 0xA0;
    }

    static String fixC1(String text) {
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            String meant = isC1(c) ? replacement(c) : null;
            out.append(meant == null ? String.valueOf(c) : meant);
        }
        return out.toString();
    }

    private static String removeControls(String line) {
        var out = new StringBuilder(line.length());
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            boolean control =
                    c < 0x09
                            || c == 0x0B
                            || (c >= 0x0E && c < 0x20)
                            || c == 0x7F
                            || (c >= 0x206A && c <= 0x206F)
                            || c == 0xFEFF
                            || (c >= 0xFFF9 && c <= 0xFFFC);
            if (!control) {
                out.append(c);
            }
        }
        return out.toString();
    }

    /**
     * Replaces character references until there are none, those too that only appear when another
     * one is replaced, in one pass: a reference ends at a semicolon, so each is looked for there.
     */
    static String unescapeHtml(String text) {
        if (text.indexOf('&') < 0) {
            return text;
        }
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            out.append(text.charAt(i));
            boolean replaced = true;
            while (replaced && !out.isEmpty() && out.charAt(out.length() - 1) == ';') {
                int end = out.length() - 1;
                int start = end - 1;
                while (start >= 0
                        && end - start <= LONGEST_ENTITY + 1
                        && isReferenceCharacter(out.charAt(start))) {
                    start--;
                }
                String meant =
                        start >= 0 && out.charAt(start) == '&'
                                ? reference(out.substring(start + 1, end))
                                : null;
                replaced = meant != null;
                if (meant != null) {
                    out.setLength(start);
                    out.append(meant);
                }
            }
        }
        return out.toString();
    }

    private static boolean isReferenceCharacter(char c) {
        return (c >= '0' && c <= '9')
                || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || c == '#';
    }

    /** What {@code &name;} stands for, or null. */
    private static @Nullable String reference(String name) {
        if (!NUMBER.matcher(name).matches()) {
            return ENTITIES.get(name);
        }
        if (name.length() > LONGEST_ENTITY + 1) {
            return null;
        }
        boolean hex = Character.toLowerCase(name.charAt(1)) == 'x';
        var number = new BigInteger(name.substring(hex ? 2 : 1), hex ? 16 : 10);
        if (number.bitLength() > 21) {
            return "\uFFFD";
        }
        int c = number.intValue();
        if (c == ';') {
            return null; // left alone, by ftfy's rule for references that are only half understood
        }
        if (c == 0 || c > Character.MAX_CODE_POINT || (c >= 0xD800 && c <= 0xDFFF)) {
            return "\uFFFD";
        }
        if (isC1(c)) {
            String meant = replacement((char) c);
            return meant == null ? String.valueOf((char) c) : meant;
        }
        boolean dropped =
                (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r')
                        || c == 0x7F
                        || (c >= 0xFDD0 && c <= 0xFDEF)
                        || (c & 0xFFFE) == 0xFFFE;
        return dropped ? "" : Character.toString(c);
    }

    /** HTML 5's named character references, and the upper-case spellings that ftfy accepts. */
    private static Map<String, String> readEntities() {
        var entities = new HashMap<String, String>();
        var resource =
                Objects.requireNonNull(
                        TextRepair.class.getResourceAsStream("html-entities.txt"),
                        "html-entities.txt is not in the jar");
        try (var in =
                new BufferedReader(new InputStreamReader(resource, StandardCharsets.US_ASCII))) {
            for (var line = in.readLine(); line != null; line = in.readLine()) {
                var fields = line.split(" ", -1);
                var meant = new StringBuilder();
                for (int i = 1; i < fields.length; i++) {
                    meant.appendCodePoint(Integer.parseInt(fields[i], 16));
                }
                entities.put(fields[0], meant.toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Map.copyOf(entities);
    }
}
