package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.JsonNode;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.text.BreakIterator;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/** The {@code normalizer} of a {@code tokenizer.json}. */
final class Normalizers {
    private static final String SUPPORTED =
            "Sequence, Precompiled, NFC, NFD, NFKC, NFKD, Nmt, Lowercase, Strip, StripAccents, "
                    + "Replace, Prepend and ByteLevel";

    /** Marks that start graphemes (UAX #29, table 2), which Java has not heard of. */
    private static final Pattern AHOM_VOWELS = Pattern.compile("[\\x{11720}\\x{11721}]");

    /** A letter as long as they are. */
    private static final String OF_ITS_OWN = Character.toString(0x10000);

    private Normalizers() {}

    static UnaryOperator<String> read(JsonFile json, @Nullable JsonNode node)
            throws TokenizerException {
        if (node == null) {
            return UnaryOperator.identity();
        }
        json.requireFewParts(node, "normalizer");
        return bounded(json.path(), readPart(json, node));
    }

    /** Stops where a text has grown beyond all measure. */
    private static UnaryOperator<String> bounded(Path file, UnaryOperator<String> normalizer) {
        return text -> {
            String normal = normalizer.apply(text);
            Limits.requireStep(file, normal.length());
            return normal;
        };
    }

    private static UnaryOperator<String> readPart(JsonFile json, JsonNode node)
            throws TokenizerException {
        String type = json.type(node, "normalizer");
        return switch (type) {
            case "Sequence" -> {
                var parts = new ArrayList<UnaryOperator<String>>();
                for (var part : json.array(node, "normalizers")) {
                    parts.add(bounded(json.path(), readPart(json, part)));
                }
                yield sequence(parts);
            }
            case "Precompiled" -> precompiled(charsMap(json, node));
            case "NFC" -> form(Form.NFC);
            case "NFD" -> form(Form.NFD);
            case "NFKC" -> form(Form.NFKC);
            case "NFKD" -> form(Form.NFKD);
            case "Nmt" -> Normalizers::nmt;
            case "Lowercase" -> Lowercase::simple;
            case "Strip" ->
                    strip(
                            json.bool(node, "strip_left", true),
                            json.bool(node, "strip_right", true));
            case "StripAccents" -> replace(UnicodeVersion.V9, Pattern.compile("\\p{M}"), "");
            case "Replace" -> replace(pattern(json, node), json.string(node, "content"));
            case "Prepend" -> {
                var prefix = json.string(node, "prepend");
                Limits.requireToken(json.path(), "the text of Prepend", prefix.length());
                yield text -> text.isEmpty() ? text : prefix + text;
            }
            case "ByteLevel" -> ByteLevel::encode;
            default ->
                    throw json.error(
                            "the normalizer \""
                                    + type
                                    + "\" is not supported; those that are: "
                                    + SUPPORTED);
        };
    }

    static UnaryOperator<String> sequence(Iterable<UnaryOperator<String>> parts) {
        return text -> {
            for (var part : parts) {
                text = part.apply(text);
            }
            return text;
        };
    }

    /**
     * A precompiled table as the tokenizers library applies it, which is not how SentencePiece does
     * it: a whole grapheme of less than six bytes is replaced by what its shortest rule says, any
     * other is taken character by character.
     */
    static UnaryOperator<String> precompiled(CharsMap map) {
        return text -> {
            var utf8 = Utf8.bytes(text);
            var out = new StringBuilder(text.length() + 16);
            var graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
            graphemes.setText(
                    AHOM_VOWELS.matcher(UnicodeVersion.V16.view(text)).replaceAll(OF_ITS_OWN));
            int at = 0; // in utf8
            int start = graphemes.first();
            for (int end = graphemes.next(); end != BreakIterator.DONE; end = graphemes.next()) {
                int bytes = 0;
                for (int i = start; i < end; i += Character.charCount(text.codePointAt(i))) {
                    bytes += Utf8.length(text.codePointAt(i));
                }
                long match = bytes < 6 ? map.shortest(utf8, at, at + bytes) : 0;
                if (match != 0) {
                    append(out, map, match);
                    at += bytes;
                } else {
                    for (int i = start; i < end; ) {
                        int c = text.codePointAt(i);
                        match = map.shortest(utf8, at, at + Utf8.length(c));
                        if (match != 0) {
                            append(out, map, match);
                        } else {
                            out.appendCodePoint(c);
                        }
                        at += Utf8.length(c);
                        i += Character.charCount(c);
                    }
                }
                start = end;
            }
            return out.toString();
        };
    }

    private static void append(StringBuilder out, CharsMap map, long match) {
        Limits.requireStep(map.file(), out.length());
        int start = CharsMap.start(match);
        out.append(Utf8.text(map.replacements(), start, map.end(start)));
    }

    static UnaryOperator<String> strip(boolean left, boolean right) {
        return text -> {
            var rest = left ? Whitespace.stripLeading(text, Whitespace::isUnicode) : text;
            return right ? Whitespace.stripTrailing(rest, Whitespace::isUnicode) : rest;
        };
    }

    /** Replaces the matches of a pattern of Darkroom's own. */
    static UnaryOperator<String> replace(UnicodeVersion version, Pattern pattern, String content) {
        return replace(GuardedPattern.own(version, pattern), content);
    }

    private static UnaryOperator<String> replace(GuardedPattern pattern, String content) {
        return text -> pattern.replaceAll(text, content);
    }

    static UnaryOperator<String> form(Form form) {
        return text -> UnicodeVersion.V9.normalize(text, form);
    }

    /** The clean-up of Google's NMT: drops controls, makes other odd characters spaces. */
    private static String nmt(String text) {
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '\t',
                        '\n',
                        '\f',
                        '\r',
                        '\u1680',
                        '\u200B',
                        '\u200C',
                        '\u200D',
                        '\u200E',
                        '\u200F',
                        '\u2028',
                        '\u2029',
                        '\u2581',
                        '\uFEFF',
                        '\uFFFD' ->
                        out.append(' ');
                case '\u007F', '\u008F', '\u009F' -> {}
                default -> {
                    if (c == 0 || c >= ' ') {
                        out.append(c);
                    }
                }
            }
        }
        return out.toString();
    }

    private static CharsMap charsMap(JsonFile json, JsonNode node) throws TokenizerException {
        try {
            var blob = Base64.getDecoder().decode(json.string(node, "precompiled_charsmap"));
            return CharsMap.parse(json.path(), blob);
        } catch (IllegalArgumentException e) {
            throw new TokenizerException(
                    json.path(), "the precompiled normaliser table is not Base64", e);
        }
    }

    /** A {@code pattern}: {@code {"String": …}} or {@code {"Regex": …}}. */
    static GuardedPattern pattern(JsonFile json, JsonNode node) throws TokenizerException {
        var pattern = json.object(node, "pattern");
        if (json.optional(pattern, "String") != null) {
            return GuardedPattern.literal(json.path(), json.string(pattern, "String"));
        }
        return GuardedPattern.regex(json.path(), json.string(pattern, "Regex"));
    }
}
