package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tokenizers library's Unigram model. */
final class UnigramModel implements FastTokenizer.Model {

    /**
     * @param score log-probability
     */
    record Entry(String token, double score) {}

    private final List<Entry> vocabulary;
    private final Map<String, Integer> ids = new HashMap<>();
    private final Unigram unigram;
    private final int unkId;
    private final boolean byteFallback;

    UnigramModel(List<Entry> vocabulary, int unkId, boolean byteFallback) {
        this.vocabulary = vocabulary;
        this.unkId = unkId;
        this.byteFallback = byteFallback;
        var trie = new ByteTrie(vocabulary.size() * 4);
        var scores = new double[vocabulary.size()];
        double min = Double.POSITIVE_INFINITY;
        for (int id = 0; id < scores.length; id++) {
            var entry = vocabulary.get(id);
            ids.put(entry.token, id);
            trie.put(Utf8.bytes(entry.token), id);
            scores[id] = entry.score;
            min = Math.min(min, entry.score);
        }
        unigram = new Unigram(trie, scores, unkId, min, false);
    }

    /** A run of unknown characters is one unknown token, or its bytes if all have tokens. */
    @Override
    public void encode(String piece, Ids out) {
        var text = Utf8.bytes(piece);
        var path = unigram.bestPath(text);
        int start = 0;
        for (int i = 0; i < path.ids().length; i++) {
            int id = path.ids()[i];
            boolean runGoesOn =
                    id == unkId && i + 1 < path.ids().length && path.ids()[i + 1] == unkId;
            if (runGoesOn) {
                continue;
            }
            int end = path.ends()[i];
            if (id == unkId) {
                unknown(text, start, end, out);
            } else {
                out.add(id);
            }
            start = end;
        }
    }

    private void unknown(byte[] text, int start, int end, Ids out) {
        int known = id(Utf8.text(text, start, end));
        if (known >= 0) {
            out.add(known);
            return;
        }
        var bytes = new int[end - start];
        boolean spelled = byteFallback;
        for (int i = start; spelled && i < end; i++) {
            bytes[i - start] = id(SentencePieceModel.bytePiece(text[i] & 0xFF));
            spelled = bytes[i - start] >= 0;
        }
        if (spelled) {
            out.add(bytes);
        } else {
            out.add(unkId);
        }
    }

    @Override
    public int id(String token) {
        return ids.getOrDefault(token, -1);
    }

    @Override
    public @Nullable String token(int id) {
        return id >= 0 && id < vocabulary.size() ? vocabulary.get(id).token : null;
    }

    @Override
    public int size() {
        return vocabulary.size();
    }
}
