package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Byte-pair encoding (Sennrich et al. 2016, section 3.2): a word's characters are joined, always
 * the pair whose merge was learned first, until no pair of neighbours can be joined.
 */
final class Bpe {
    /** Longer words are not worth remembering. */
    private static final int CACHED_LENGTH = 256;

    private static final int CACHED_WORDS = 10_000;

    /** Two tokens that become one. */
    record Merge(String left, String right) {
        /** Returns the token that the two become; the right one loses its prefix. */
        String joined(String prefix) {
            return left + (right.startsWith(prefix) ? right.substring(prefix.length()) : right);
        }
    }

    /**
     * How words are spelled before anything is joined.
     *
     * @param prefix goes before every character but the first
     * @param suffix goes after the last character
     * @param unkId stands for an unknown character; -1 leaves such characters out
     * @param fuseUnknown neighbouring unknown characters are one
     * @param byteFallback an unknown character is spelled in tokens such as {@code <0x0A>}, if all
     *     are there
     * @param wholeWordsFirst a word that is a token is not taken apart
     */
    record Spelling(
            String prefix,
            String suffix,
            int unkId,
            boolean fuseUnknown,
            boolean byteFallback,
            boolean wholeWordsFirst) {}

    private final Map<String, Integer> vocabulary;
    private final Map<String, Integer> symbols; // the vocabulary and what merges make besides
    private final int firstOutside; // symbols from here on are not in the vocabulary
    private final LongIntMap ranks; // two symbols -> rank of their merge
    private final int[] joined; // rank -> symbol
    private final Spelling spelling;
    private final Map<String, int[]> cache = new ConcurrentHashMap<>();

    Bpe(Map<String, Integer> vocabulary, List<Merge> merges, Spelling spelling) {
        this.vocabulary = vocabulary;
        this.spelling = spelling;
        this.symbols = new HashMap<>(vocabulary);
        firstOutside = vocabulary.isEmpty() ? 0 : Collections.max(vocabulary.values()) + 1;
        ranks = new LongIntMap(merges.size());
        joined = new int[merges.size()];
        for (int rank = 0; rank < merges.size(); rank++) {
            var merge = merges.get(rank);
            // The same merge twice: the later rank counts, as in the references.
            ranks.put(pair(symbol(merge.left), symbol(merge.right)), rank);
            joined[rank] = symbol(merge.joined(spelling.prefix));
        }
    }

    private int symbol(String text) {
        int next = firstOutside + symbols.size() - vocabulary.size();
        Integer known = symbols.putIfAbsent(text, next);
        return known == null ? next : known;
    }

    /** The ids of a word. The array is shared: it is not to be written to. */
    int[] encode(String word) {
        if (word.length() > CACHED_LENGTH) {
            return compute(word);
        }
        int @Nullable [] known = cache.get(word);
        if (known == null) {
            known = compute(word);
            if (cache.size() >= CACHED_WORDS) {
                cache.clear();
            }
            cache.put(word, known);
        }
        return known;
    }

    private int[] compute(String word) {
        Integer whole = spelling.wholeWordsFirst ? vocabulary.get(word) : null;
        if (whole != null) {
            return new int[] {whole};
        }
        var ids = join(spell(word));
        int count = 0;
        for (int id : ids) {
            int known = id < firstOutside ? id : spelling.unkId;
            if (known >= 0) {
                ids[count++] = known;
            }
        }
        return Arrays.copyOf(ids, count);
    }

    private int[] spell(String word) {
        var out = new Ids();
        boolean afterUnknown = false;
        for (int i = 0; i < word.length(); ) {
            int end = i + Character.charCount(word.codePointAt(i));
            String character =
                    (i > 0 ? spelling.prefix : "")
                            + word.substring(i, end)
                            + (end == word.length() ? spelling.suffix : "");
            i = end;
            Integer symbol = symbols.get(character);
            var bytes = symbol == null && spelling.byteFallback ? byteSymbols(character) : null;
            if (symbol != null) {
                out.add(symbol);
                afterUnknown = false;
            } else if (bytes != null) {
                out.add(bytes);
            } else {
                if (spelling.unkId >= 0 && !(afterUnknown && spelling.fuseUnknown)) {
                    out.add(spelling.unkId);
                }
                afterUnknown = true;
            }
        }
        return out.toArray();
    }

    private int @Nullable [] byteSymbols(String character) {
        var bytes = Utf8.bytes(character);
        var ids = new int[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            Integer id = vocabulary.get(SentencePieceModel.bytePiece(bytes[i] & 0xFF));
            if (id == null) {
                return null;
            }
            ids[i] = id;
        }
        return ids;
    }

    /**
     * Joins neighbours, lowest rank first and leftmost among equals. Symbols are a linked list; the
     * queue holds rank and place of every pair, and a pair that is no longer there is skipped.
     */
    private int[] join(int[] symbols) {
        int n = symbols.length;
        var next = new int[n];
        var previous = new int[n];
        var queue = new PriorityQueue<Long>();
        for (int i = 0; i < n; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
            offer(queue, symbols, i, i + 1);
        }
        while (!queue.isEmpty()) {
            long entry = queue.remove();
            int rank = (int) (entry >>> 32);
            int left = (int) entry;
            if (symbols[left] < 0 || next[left] == n) {
                continue;
            }
            int right = next[left];
            if (ranks.get(pair(symbols[left], symbols[right]), -1) != rank) {
                continue;
            }
            symbols[left] = joined[rank];
            symbols[right] = -1;
            next[left] = next[right];
            if (next[left] < n) {
                previous[next[left]] = left;
                offer(queue, symbols, left, next[left]);
            }
            if (previous[left] >= 0) {
                offer(queue, symbols, previous[left], left);
            }
        }
        int count = 0;
        for (int symbol : symbols) {
            if (symbol >= 0) {
                symbols[count++] = symbol;
            }
        }
        return Arrays.copyOf(symbols, count);
    }

    private void offer(PriorityQueue<Long> queue, int[] symbols, int left, int right) {
        int rank = right < symbols.length ? ranks.get(pair(symbols[left], symbols[right]), -1) : -1;
        if (rank >= 0) {
            queue.add(((long) rank << 32) | left);
        }
    }

    private static long pair(int left, int right) {
        return ((long) left << 32) | right;
    }
}
