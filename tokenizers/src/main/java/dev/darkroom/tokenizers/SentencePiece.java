package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.SentencePieceModel.Type;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What SentencePiece's processor does with a unigram model: text to pieces and back. */
final class SentencePiece {
    /** U+2581, which stands for a space within pieces. */
    static final char SPACE = '\u2581';

    private static final byte[] SPACE_UTF8 = Utf8.bytes(String.valueOf(SPACE));
    private static final byte[] REPLACEMENT_UTF8 = Utf8.bytes("\uFFFD");

    private final SentencePieceModel model;
    private final Unigram unigram;
    private final ByteTrie userDefined = new ByteTrie(16);
    private final boolean hasUserDefined;
    private final Map<String, Integer> ids = new HashMap<>();

    SentencePiece(SentencePieceModel model) {
        this.model = model;
        float min = Float.MAX_VALUE;
        for (var piece : model.pieces()) {
            if (piece.type() == Type.NORMAL) {
                min = Math.min(min, piece.score());
            }
        }
        var trie = new ByteTrie(model.pieces().size() * 4);
        var scores = new double[model.pieces().size()];
        for (int id = 0; id < scores.length; id++) {
            var piece = model.pieces().get(id);
            var utf8 = Utf8.bytes(piece.text());
            scores[id] = piece.score();
            if (piece.type() == Type.USER_DEFINED) {
                // Above all others, which are logarithms of probabilities.
                scores[id] = (float) (0.1 * (utf8.length - 1));
                userDefined.put(utf8, id);
            }
            if (piece.type() == Type.NORMAL || piece.type() == Type.USER_DEFINED) {
                trie.put(utf8, id);
            }
            if (piece.type().isText()) {
                ids.putIfAbsent(piece.text(), id);
            } else {
                ids.put(piece.text(), id);
            }
        }
        hasUserDefined =
                model.pieces().stream().anyMatch(piece -> piece.type() == Type.USER_DEFINED);
        unigram = new Unigram(trie, scores, model.unkId(), min, true);
    }

    int size() {
        return model.pieces().size();
    }

    String text(int id) {
        return model.pieces().get(id).text();
    }

    /** The id of a piece, the unknown id if there is none of that text. */
    int id(String piece) {
        return ids.getOrDefault(piece, model.unkId());
    }

    /** The id of a piece, or -1. */
    int idOrNone(String piece) {
        return ids.getOrDefault(piece, -1);
    }

    /**
     * Cuts a text into pieces. A run of unknown characters is one piece with their text, or, with
     * byte fallback, one byte piece per byte.
     */
    List<String> encode(String text) {
        var normalized = normalize(Utf8.bytes(text));
        var path = unigram.bestPath(normalized);
        var pieces = new ArrayList<String>(path.ids().length);
        int start = 0;
        for (int i = 0; i < path.ids().length; i++) {
            int end = path.ends()[i];
            if (path.ids()[i] != model.unkId()) {
                pieces.add(model.pieces().get(path.ids()[i]).text());
                start = end;
            } else if (model.byteFallback()) {
                for (; start < end; start++) {
                    pieces.add(SentencePieceModel.bytePiece(normalized[start] & 0xFF));
                }
            } else if (i + 1 == path.ids().length || path.ids()[i + 1] != model.unkId()) {
                pieces.add(Utf8.text(normalized, start, end));
                start = end;
            }
        }
        return pieces;
    }

    /** The text of some ids, which must be of this model; control pieces have none. */
    String decode(List<Integer> ids) {
        var text = new ByteArrayOutputStream();
        for (int id : ids) {
            var piece = model.pieces().get(id);
            switch (piece.type()) {
                case CONTROL -> {}
                case UNKNOWN -> text.writeBytes(Utf8.bytes(model.unkSurface()));
                case BYTE -> text.write(Integer.parseInt(piece.text(), 3, 5, 16));
                default -> text.writeBytes(Utf8.bytes(piece.text().replace(SPACE, ' ')));
            }
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    /** Applies the rules, collapses and trims spaces, puts U+2581 for them and one in front. */
    byte[] normalize(byte[] text) {
        boolean collapse = model.removeExtraWhitespaces();
        var space = model.escapeWhitespaces() ? SPACE_UTF8 : new byte[] {' '};
        var rule = new Rule();
        int at = 0;
        while (collapse && at < text.length) {
            rule.find(text, at);
            if (!rule.isSpace()) {
                break;
            }
            at += rule.covered;
        }
        if (at == text.length) {
            return new byte[0];
        }
        var out = new Bytes(text.length + text.length / 2 + 8);
        if (model.addDummyPrefix() && !model.whitespaceAsSuffix()) {
            out.add(space, 0, space.length);
        }
        boolean afterSpace = collapse;
        while (at < text.length) {
            rule.find(text, at);
            int from = rule.from;
            while (afterSpace && from < rule.to && rule.bytes[from] == ' ') {
                from++;
            }
            for (int i = from; i < rule.to; i++) {
                if (rule.bytes[i] == ' ') {
                    out.add(space, 0, space.length);
                } else {
                    out.add(rule.bytes, i, 1);
                }
            }
            if (from < rule.to) {
                afterSpace = collapse && rule.bytes[rule.to - 1] == ' ';
            }
            at += rule.covered;
            Limits.requireInProportion(model.file(), text.length, out.size);
        }
        while (collapse && out.endsWith(space)) {
            out.size -= space.length;
        }
        if (model.addDummyPrefix() && model.whitespaceAsSuffix()) {
            out.add(space, 0, space.length);
        }
        return out.toArray();
    }

    /** What replaces the text at some position, and how much of the text it covers. */
    private final class Rule {
        private byte[] bytes = {};
        private int from;
        private int to;
        private int covered;

        void find(byte[] text, int at) {
            // User-defined symbols are kept as they are.
            int symbol = hasUserDefined ? userDefined.longestMatch(text, at) : 0;
            if (symbol > 0) {
                set(text, at, at + symbol, symbol);
                return;
            }
            var map = model.charsMap();
            long match = map == null ? 0 : map.longest(text, at, text.length);
            if (map != null && match != 0) {
                int start = CharsMap.start(match);
                set(map.replacements(), start, map.end(start), CharsMap.length(match));
                return;
            }
            int length = Utf8.length(text[at]);
            if (length > text.length - at || (text[at] & 0xC0) == 0x80) {
                // Only if a rule cut a character in two.
                set(REPLACEMENT_UTF8, 0, REPLACEMENT_UTF8.length, 1);
            } else {
                set(text, at, at + length, length);
            }
        }

        private void set(byte[] bytes, int from, int to, int covered) {
            this.bytes = bytes;
            this.from = from;
            this.to = to;
            this.covered = covered;
        }

        boolean isSpace() {
            return to - from == 1 && bytes[from] == ' ';
        }
    }

    private static final class Bytes {
        private byte[] bytes;
        private int size;

        Bytes(int capacity) {
            bytes = new byte[capacity];
        }

        void add(byte[] source, int from, int count) {
            if (size + count > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + count));
            }
            System.arraycopy(source, from, bytes, size, count);
            size += count;
        }

        boolean endsWith(byte[] suffix) {
            return size >= suffix.length
                    && Arrays.equals(bytes, size - suffix.length, size, suffix, 0, suffix.length);
        }

        byte[] toArray() {
            return Arrays.copyOf(bytes, size);
        }
    }
}
