package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.util.HashMap;
import java.util.Map;

/** The tokenizers library's BPE model. */
final class BpeModel implements FastTokenizer.Model {
    private final Map<String, Integer> ids;
    private final Map<Integer, String> tokens = new HashMap<>();
    private final Bpe bpe;

    BpeModel(Map<String, Integer> ids, Bpe bpe) {
        this.ids = ids;
        this.bpe = bpe;
        ids.forEach((token, id) -> tokens.put(id, token));
    }

    @Override
    public void encode(String piece, Ids out) {
        out.add(bpe.encode(piece));
    }

    @Override
    public int id(String token) {
        return ids.getOrDefault(token, -1);
    }

    @Override
    public @Nullable String token(int id) {
        return tokens.get(id);
    }

    @Override
    public int size() {
        return ids.size();
    }
}
