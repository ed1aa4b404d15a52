package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.JsonNode;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** The {@code pre_tokenizer} of a {@code tokenizer.json}: cuts text before the model does. */
interface PreTokenizer {

    /** A part of a text; {@code first} if the whole text starts with it. */
    record Piece(String text, boolean first) {}

    /** Cuts one piece; empty pieces are dropped by the caller. */
    List<Piece> split(Piece piece);

    /** Whether Metaspace puts its character before a piece. */
    enum Prepend {
        ALWAYS,
        FIRST,
        NEVER
    }

    static PreTokenizer read(JsonFile json, @Nullable JsonNode node) throws TokenizerException {
        if (node == null) {
            return List::of;
        }
        json.requireFewParts(node, "pre_tokenizer");
        String type = json.type(node, "pre_tokenizer");
        return switch (type) {
            case "Sequence" -> {
                var parts = new ArrayList<PreTokenizer>();
                for (var part : json.array(node, "pretokenizers")) {
                    parts.add(read(json, part));
                }
                yield sequence(json.path(), parts);
            }
            case "WhitespaceSplit" -> PreTokenizer::whitespaceSplit;
            case "Metaspace" ->
                    metaspace(
                            metaspaceCharacter(json, node),
                            metaspacePrepend(json, node),
                            json.bool(node, "split", true));
            case "Split" -> split(json, node);
            case "ByteLevel" ->
                    byteLevel(
                            json.bool(node, "add_prefix_space", true),
                            json.bool(node, "use_regex", true));
            default ->
                    throw json.error(
                            "the pre_tokenizer \""
                                    + type
                                    + "\" is not supported; those that are: Sequence, "
                                    + "WhitespaceSplit, Metaspace, Split and ByteLevel");
        };
    }

    static PreTokenizer sequence(List<PreTokenizer> parts) {
        return sequence(null, parts);
    }

    /**
     * One after the other.
     *
     * @param file that has them; null for Darkroom's own
     */
    private static PreTokenizer sequence(@Nullable Path file, List<PreTokenizer> parts) {
        return piece -> {
            var pieces = List.of(piece);
            for (var part : parts) {
                var next = new ArrayList<Piece>();
                for (var each : pieces) {
                    part.split(each).stream().filter(p -> !p.text.isEmpty()).forEach(next::add);
                }
                pieces = next;
                Limits.requireStep(file, pieces.stream().mapToLong(p -> p.text.length()).sum());
            }
            return pieces;
        };
    }

    private static List<Piece> whitespaceSplit(Piece piece) {
        var pieces = new ArrayList<Piece>();
        var text = piece.text;
        int start = 0;
        for (int i = 0; i <= text.length(); i++) {
            if (i == text.length() || Whitespace.isUnicode(text.charAt(i))) {
                pieces.add(new Piece(text.substring(start, i), piece.first && start == 0));
                start = i + 1;
            }
        }
        return pieces;
    }

    /** Spaces become {@code space}, and each starts a new piece. */
    static PreTokenizer metaspace(String space, Prepend prepend, boolean split) {
        return piece -> {
            var text = piece.text.replace(" ", space);
            boolean marked = prepend == Prepend.ALWAYS || (prepend == Prepend.FIRST && piece.first);
            if (marked && !text.startsWith(space)) {
                text = space + text;
            }
            if (!split) {
                return List.of(new Piece(text, piece.first));
            }
            var pieces = new ArrayList<Piece>();
            for (int start = 0; start < text.length(); ) {
                int next = text.indexOf(space, start + 1);
                int end = next < 0 ? text.length() : next;
                pieces.add(new Piece(text.substring(start, end), piece.first && start == 0));
                start = end;
            }
            return pieces;
        };
    }

    private static PreTokenizer split(JsonFile json, JsonNode node) throws TokenizerException {
        var pattern = Normalizers.pattern(json, node);
        boolean invert = json.bool(node, "invert", false);
        String behavior = json.string(node, "behavior");
        if (!behavior.equals("Removed") && !behavior.equals("Isolated")) {
            throw json.error(
                    "the behavior \""
                            + behavior
                            + "\" of the pre_tokenizer Split is not supported, only Removed and"
                            + " Isolated");
        }
        boolean removed = behavior.equals("Removed");
        return split(pattern, removed && invert, removed && !invert);
    }

    /** Cuts at the matches of a pattern, and drops what lies between them, or them. */
    static PreTokenizer split(Pattern pattern, boolean dropOthers, boolean dropMatches) {
        return split(GuardedPattern.own(UnicodeVersion.V16, pattern), dropOthers, dropMatches);
    }

    private static PreTokenizer split(
            GuardedPattern pattern, boolean dropOthers, boolean dropMatches) {
        return piece -> matches(piece, pattern, dropMatches, dropOthers);
    }

    static PreTokenizer byteLevel(boolean addPrefixSpace, boolean useRegex) {
        return piece -> {
            var text = piece.text;
            if (addPrefixSpace && !text.startsWith(" ")) {
                text = " " + text;
            }
            var whole = new Piece(text, piece.first);
            return (useRegex
                            ? matches(
                                    whole,
                                    GuardedPattern.own(UnicodeVersion.V16, ByteLevel.WORDS),
                                    false,
                                    false)
                            : List.of(whole))
                    .stream().map(p -> new Piece(ByteLevel.encode(p.text), p.first)).toList();
        };
    }

    /** The matches of a pattern and what is between them, less those that are dropped. */
    private static List<Piece> matches(
            Piece piece, GuardedPattern pattern, boolean dropMatches, boolean dropOthers) {
        var pieces = new ArrayList<Piece>();
        var text = piece.text;
        int last = 0;
        for (var match : pattern.matches(text)) {
            if (!dropOthers && last < match.start()) {
                pieces.add(slice(piece, last, match.start()));
            }
            if (!dropMatches) {
                pieces.add(slice(piece, match.start(), match.end()));
            }
            last = match.end();
        }
        if (!dropOthers && last < text.length()) {
            pieces.add(slice(piece, last, text.length()));
        }
        return pieces;
    }

    private static Piece slice(Piece piece, int start, int end) {
        return new Piece(piece.text.substring(start, end), piece.first && start == 0);
    }

    static String metaspaceCharacter(JsonFile json, JsonNode node) throws TokenizerException {
        var replacement = json.string(node, "replacement");
        if (replacement.codePointCount(0, replacement.length()) != 1) {
            throw json.error("the replacement of Metaspace should be one character");
        }
        return replacement;
    }

    /** {@code prepend_scheme}; older files have {@code add_prefix_space} instead. */
    static Prepend metaspacePrepend(JsonFile json, JsonNode node) throws TokenizerException {
        boolean prefix = json.bool(node, "add_prefix_space", true);
        String scheme = json.string(node, "prepend_scheme", prefix ? "always" : "never");
        if (!prefix && !"never".equals(scheme)) {
            throw json.error(
                    "add_prefix_space and prepend_scheme of Metaspace contradict each other");
        }
        return switch (String.valueOf(scheme)) {
            case "always" -> Prepend.ALWAYS;
            case "first" -> Prepend.FIRST;
            case "never" -> Prepend.NEVER;
            default -> throw json.error("the prepend_scheme \"" + scheme + "\" is not known");
        };
    }
}
