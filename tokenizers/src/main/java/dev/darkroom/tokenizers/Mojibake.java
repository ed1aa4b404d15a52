package dev.darkroom.tokenizers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import org.jspecify.annotations.Nullable;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Undoes mojibake: UTF-8 that was decoded as a one-byte encoding, so that "é" reads "Ã©". The rules
 * are those of ftfy 6.3's {@code fix_encoding} (Robyn Speer, Apache-2.0), whose documentation
 * explains the heuristic: text is suspect if it has neighbours that hardly occur otherwise, and it
 * is repaired if, encoded again, it is valid UTF-8.
 *
 * <p>Bytes are held as Latin-1 strings here, one character each.
 */
final class Mojibake {
    private static final int MOST_ROUNDS = 32;

    /** A lost byte, for which the text has U+FFFD. */
    private static final char LOST = '\u001a';

    /** Characters by how they occur in mojibake and elsewhere, as inner parts of classes. */
    private static final Map<String, String> KINDS =
            Map.ofEntries(
                    Map.entry("c1", "\u0080-\u009f"),
                    Map.entry("common", "\u00a0\u00ad·´–—―’…"),
                    Map.entry("bad", "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd"),
                    Map.entry("law", "§¶"),
                    Map.entry("currency", "¢£¥₧€"),
                    Map.entry("open", "¡©«¿΄΅‘‚“„•‹\uf8ff"),
                    Map.entry("close", "®»˝”›™"),
                    Map.entry("numeric", "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"),
                    Map.entry("faces", "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"),
                    Map.entry("Accented", "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"),
                    Map.entry("accented", "ßà-ñüāăąćčďđēėęěģğīįķĺļľłœŕśşšťźżžґﬁﬂ"),
                    Map.entry("Common", "ÞΆΈΉΊΌΎΏ\u0391-\u03a9ΪΫЁ-Я"),
                    Map.entry("commonLetter", "α-ωάέήίΰа-џ"),
                    Map.entry("box", "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"));

    /** Neighbours that make a text suspect; {@code <kind>} stands for the characters of a kind. */
    private static final Pattern SUSPECT =
            pattern(
                    "[<c1>]",
                    "[<bad><accented><Accented><box><open><close><currency><numeric><law>][<bad>]",
                    "[a-zA-Z][<commonLetter><Common>][<bad>]",
                    "[<bad>][<accented><Accented><box><open><close><currency><numeric><law>]",
                    "[<accented><commonLetter><box><close><currency><numeric>][<Accented>]",
                    "[<box><close><currency><numeric>][<accented>]",
                    "[<accented><box><close>][<currency>]",
                    "[\\s\\x1c-\\x1f][<Accented>][<currency>]",
                    "[<Accented><box>][<numeric><law>]",
                    "[<accented><Accented><box><currency><close>][<open>][<numeric>]",
                    "[<accented><Accented><currency><numeric><box><law>][<close>][<open>]",
                    "[<currency><numeric><box>][<open>]",
                    "[a-z][<Accented>][<open><currency>]",
                    "[<box>][<faces>]",
                    "[<accented><Accented><currency><numeric><open><close><law>][<box>]",
                    "[<box>][<close>]",
                    "[<accented><Accented>][<open><close>][\\p{L}\\p{N}_]",
                    "[Œœ][^A-Za-z]",
                    "[<Accented>]°",
                    "[ÂÃÎÐ][€œŠš¢£Ÿž\u00a0\u00ad®©°·»<open><close>–—´]",
                    "×[²³]",
                    // Arabic
                    "[ØÙ][<common><currency><bad><numeric><open>ŸŠ®°µ»]"
                            + "[ØÙ][<common><currency><bad><numeric><open>ŸŠ®°µ»]",
                    // South Asian scripts
                    "à[²µ¹¼½¾]",
                    // MacRoman
                    "√[±∂†≠®™´≤≥¥µø]",
                    "≈[°¢]",
                    "‚Ä[ìîïòôúùû†°¢π]",
                    "‚[âó][àä°ê]",
                    // Cyrillic
                    "вЂ",
                    "[ВГРС][<c1><bad><open><close><currency>°µ][ВГРС]",
                    "ГўВЂВ[^\n][A-Za-z ]",
                    // à, á, the no-break space, and Â before what it stands for
                    "Ã[\u00a0¡]",
                    "[a-z][\\s\\x1c-\\x1f]?[ÃÂ] ",
                    "^[ÃÂ] ",
                    "[a-z.,?!<close>]Â[ <open><close>]",
                    // Greek and Baltic
                    "β€[™\u00a0Ά\u00ad®°]",
                    "[ΒΓΞΟ][<c1><bad><open><close><currency>°][ΒΓΞΟ]",
                    "ā€");

    /** UTF-8 in which a byte A0 became a space. */
    private static final Pattern SPACED =
            Pattern.compile(
                    "[\u00c2\u00c3\u00c5\u00ce\u00d0\u00d9] "
                            + "|[\u00e2\u00e3] [\u0080-\u0084\u0086-\u009f\u00a1-\u00bf]"
                            + "|[\u00e0-\u00e3][\u0080-\u0084\u0086-\u009f\u00a1-\u00bf] "
                            + "|\u00f0 [\u0080-\u00bf]{2}"
                            + "|\u00f0[\u0080-\u00bf] [\u0080-\u00bf]"
                            + "|\u00f0[\u0080-\u00bf]{2} ");

    /** A French "à" as a word, but not the Portuguese words that start with it. */
    private static final Pattern SPACED_WORD = Pattern.compile("\u00c3 (?! |quele|quela|quilo|s )");

    /** UTF-8 in which bytes were lost. */
    private static final Pattern LOSSY =
            Pattern.compile(
                    "[\u00c2-\u00df]\u001a|[\u00c2\u00c3]\\?"
                            + "|\u00ed[\u00a0-\u00af][\u001a?]"
                            + "\u00ed[\u00b0-\u00bf][\u001a?\u0080-\u00bf]"
                            + "|\u00ed[\u00a0-\u00af][\u001a?\u0080-\u00bf]"
                            + "\u00ed[\u00b0-\u00bf][\u001a?]"
                            + "|[\u00e0-\u00ef][\u001a?][\u001a\u0080-\u00bf]"
                            + "|[\u00e0-\u00ef][\u001a\u0080-\u00bf][\u001a?]"
                            + "|[\u00f0-\u00f4][\u001a?][\u001a\u0080-\u00bf]{2}"
                            + "|[\u00f0-\u00f4][\u001a\u0080-\u00bf][\u001a?][\u001a\u0080-\u00bf]"
                            + "|[\u00f0-\u00f4][\u001a\u0080-\u00bf]{2}[\u001a?]|\u001a");

    /** Surrogates spelled in UTF-8 each (CESU-8), and Java's spelling of NUL. */
    private static final Pattern UTF8_VARIANT =
            Pattern.compile(
                    "\u00ed([\u00a0-\u00af])[\u0080-\u00bf]\u00ed[\u00b0-\u00bf][\u0080-\u00bf]"
                            + "|\u00c0\u0080");

    /** The encodings that text may have been decoded with, likely ones first. */
    private static final List<Encoding> ENCODINGS = encodings();

    private static final boolean[][] LEADS = {
        {}, {}, leads(0xC2, 0xDF), leads(0xE0, 0xEF), leads()
    };
    private static final boolean[] CONTINUATION = leads(0x80, 0xBF);
    private static final String NOT_STRICT = "–—―‘’‚“”„•…";

    private Mojibake() {}

    /** Repairs a line, as often as it takes. */
    static String fix(String text) {
        for (int round = 0; round < MOST_ROUNDS; round++) {
            var fixed = fixOnce(text);
            if (fixed.equals(text)) {
                break;
            }
            text = fixed;
        }
        return text;
    }

    private static String fixOnce(String text) {
        if (text.chars().allMatch(c -> c < 0x80)
                || !UnicodeVersion.V14.matcher(SUSPECT, text).find()) {
            return text;
        }
        for (var encoding : ENCODINGS) {
            var bytes = encoding.encode(text);
            if (bytes == null) {
                continue;
            }
            var decoded = decodeUtf8(restore(bytes, encoding));
            if (decoded != null) {
                return decoded;
            }
        }
        var fixed = fixParts(text);
        return fixed.equals(text) ? TextRepair.fixC1(text) : fixed;
    }

    /** Puts back what other programs did to the bytes. */
    private static String restore(String bytes, Encoding encoding) {
        if (!encoding.name.equals("x-MacRoman") && SPACED.matcher(bytes).find()) {
            bytes = SPACED_WORD.matcher(bytes).replaceAll("\u00c3\u00a0 ");
            bytes = SPACED.matcher(bytes).replaceAll(match -> match.group().replace(' ', '\u00a0'));
        }
        return encoding.sloppy ? LOSSY.matcher(bytes).replaceAll("\u00ef\u00bf\u00bd") : bytes;
    }

    private static @Nullable String decodeUtf8(String bytes) {
        var plain =
                UTF8_VARIANT
                        .matcher(bytes)
                        .replaceAll(
                                match ->
                                        match.group(1) == null
                                                ? "\u0000"
                                                : surrogates(match.group()));
        try {
            return UTF_8.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(plain.getBytes(ISO_8859_1)))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private static String surrogates(String six) {
        int c =
                0x10000
                        + ((six.charAt(1) & 0x0F) << 16)
                        + ((six.charAt(2) & 0x3F) << 10)
                        + ((six.charAt(4) & 0x0F) << 6)
                        + (six.charAt(5) & 0x3F);
        return new String(Character.toString(c).getBytes(UTF_8), ISO_8859_1);
    }

    /** Repairs runs that look like UTF-8 in any of the encodings, each on its own. */
    private static String fixParts(String text) {
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int end = i;
            if (i == 0 || !isStrictContinuation(text.charAt(i - 1))) {
                for (int n = sequence(text, end); n > 0; n = sequence(text, end)) {
                    end += n;
                }
            }
            if (end == i) {
                out.append(text.charAt(i++));
                continue;
            }
            var part = text.substring(i, end);
            boolean fix =
                    part.length() < text.length()
                            && UnicodeVersion.V14.matcher(SUSPECT, part).find();
            out.append(fix ? fix(part) : part);
            i = end;
        }
        return out.toString();
    }

    /** The length of what looks like one character's UTF-8, or 0. */
    private static int sequence(String text, int at) {
        for (int length = 2; length <= 4; length++) {
            if (at + length <= text.length() && is(LEADS[length], text.charAt(at))) {
                int i = 1;
                while (i < length && isContinuation(text.charAt(at + i))) {
                    i++;
                }
                if (i == length) {
                    return length;
                }
            }
        }
        return 0;
    }

    private static boolean isContinuation(char c) {
        return c == ' ' || is(CONTINUATION, c);
    }

    private static boolean isStrictContinuation(char c) {
        return is(CONTINUATION, c) && NOT_STRICT.indexOf(c) < 0;
    }

    private static boolean is(boolean[] characters, char c) {
        return c < characters.length && characters[c];
    }

    private static Pattern pattern(String... alternatives) {
        var regex = String.join("|", alternatives);
        for (var kind : KINDS.entrySet()) {
            regex = regex.replace("<" + kind.getKey() + ">", kind.getValue());
        }
        return Pattern.compile(regex, Pattern.UNICODE_CHARACTER_CLASS);
    }

    /** The characters that bytes of a range stand for in the encodings of Windows and Latin-1. */
    private static boolean[] leads(int from, int to) {
        var leads = new boolean[0x3000];
        for (var encoding : ENCODINGS) {
            if (encoding.sloppy || encoding.name.equals("ISO-8859-1")) {
                for (int b = from; b <= to; b++) {
                    leads[encoding.characters[b]] |= encoding.defined[b];
                }
            }
        }
        return leads;
    }

    /** The bytes that start four: only F0 and F3 of those occur. */
    private static boolean[] leads() {
        var leads = leads(0xF0, 0xF0);
        var more = leads(0xF3, 0xF3);
        for (int i = 0; i < leads.length; i++) {
            leads[i] |= more[i];
        }
        return leads;
    }

    private static List<Encoding> encodings() {
        var encodings = new ArrayList<Encoding>();
        for (var name :
                List.of(
                        "ISO-8859-1",
                        "windows-1252",
                        "windows-1251",
                        "windows-1250",
                        "windows-1253",
                        "windows-1254",
                        "windows-1257",
                        "ISO-8859-2",
                        "x-MacRoman",
                        "IBM437")) {
            if (Charset.isSupported(name)) { // the last two are not in every run-time image
                encodings.add(new Encoding(name));
            }
        }
        return encodings;
    }

    /**
     * A one-byte encoding. The "sloppy" ones, Windows', have bytes that stand for nothing; they
     * stand for themselves here, and U+FFFD for {@link #LOST}.
     */
    private static final class Encoding {
        final String name;
        final boolean sloppy;
        final char[] characters = new char[256];
        final boolean[] defined = new boolean[256];
        private final int[] bytes = new int[0x10000];

        Encoding(String name) {
            this.name = name;
            this.sloppy = name.startsWith("windows");
            var charset = Charset.forName(name);
            Arrays.fill(bytes, -1);
            for (int b = 0; b < 256; b++) {
                char c = new String(new byte[] {(byte) b}, charset).charAt(0);
                defined[b] = c != '\ufffd';
                characters[b] = b < 0x80 || !defined[b] ? (char) b : c;
                if (sloppy && b == LOST) {
                    characters[b] = '\ufffd';
                }
                bytes[characters[b]] = b;
            }
        }

        /** The bytes of a text, or null if it has characters of another encoding. */
        @Nullable String encode(String text) {
            var out = new char[text.length()];
            for (int i = 0; i < out.length; i++) {
                int b = bytes[text.charAt(i)];
                if (b < 0) {
                    return null;
                }
                out[i] = (char) b;
            }
            return new String(out);
        }
    }
}
