package dev.darkroom.tokenizers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Words and how often each occurs, and what a unigram vocabulary makes of them: the E-step and the
 * best ways of Kudo, "Subword Regularization", 2018 (arXiv:1804.10959), section 3.2.
 */
final class UnigramEstimation {
    /** A piece and the logarithm of its probability. */
    record Piece(String text, double score) {}

    /** What a vocabulary expects to see: counts by piece, and the words' log-likelihood. */
    record Expectation(double[] counts, double logLikelihood) {}

    private final List<byte[]> words;
    private final long[] counts;

    UnigramEstimation(List<byte[]> words, long[] counts) {
        this.words = words;
        this.counts = counts;
    }

    /** Each piece's expected count over all ways to cut the words, by forward–backward. */
    Expectation expect(List<Piece> pieces) {
        var trie = trie(pieces);
        var expected = new double[pieces.size()];
        double logLikelihood = 0;
        for (int w = 0; w < words.size(); w++) {
            var word = words.get(w);
            int n = word.length;
            var forward = new double[n + 1]; // log-sum of all ways from the start to here
            var backward = new double[n + 1]; // and from here to the end
            Arrays.fill(forward, 1, n + 1, Double.NEGATIVE_INFINITY);
            Arrays.fill(backward, 0, n, Double.NEGATIVE_INFINITY);
            forEachArc(
                    trie,
                    word,
                    true,
                    (start, end, id) ->
                            forward[end] =
                                    logAdd(forward[end], forward[start] + pieces.get(id).score));
            forEachArc(
                    trie,
                    word,
                    false,
                    (start, end, id) ->
                            backward[start] =
                                    logAdd(backward[start], backward[end] + pieces.get(id).score));
            double total = forward[n];
            long count = counts[w];
            forEachArc(
                    trie,
                    word,
                    true,
                    (start, end, id) ->
                            expected[id] +=
                                    count
                                            * Math.exp(
                                                    forward[start]
                                                            + pieces.get(id).score
                                                            + backward[end]
                                                            - total));
            logLikelihood += count * total;
        }
        return new Expectation(expected, logLikelihood);
    }

    /** How often each piece is in the words' best ways. */
    double[] bestCounts(List<Piece> pieces) {
        var trie = trie(pieces);
        var used = new double[pieces.size()];
        for (int w = 0; w < words.size(); w++) {
            for (int id : best(trie, pieces, words.get(w), -1).ids()) {
                used[id] += counts[w];
            }
        }
        return used;
    }

    /**
     * The best way to cut a piece's text without the piece.
     *
     * @param ids of the pieces, none where there is no way
     * @param isBetter whether that way is more probable than the piece itself
     */
    record Alternative(int[] ids, boolean isBetter) {}

    /** Returns for each piece what would replace it. */
    static List<Alternative> alternatives(List<Piece> pieces) {
        var trie = trie(pieces);
        var alternatives = new ArrayList<Alternative>(pieces.size());
        for (int id = 0; id < pieces.size(); id++) {
            var other = best(trie, pieces, Utf8.bytes(pieces.get(id).text), id);
            alternatives.add(new Alternative(other.ids, other.score > pieces.get(id).score));
        }
        return alternatives;
    }

    private record Way(int[] ids, double score) {}

    /** The best way to cut a text without one piece; no ids if there is none. */
    private static Way best(ByteTrie trie, List<Piece> pieces, byte[] text, int without) {
        int n = text.length;
        var best = new double[n + 1];
        var from = new int[n + 1];
        var by = new int[n + 1];
        Arrays.fill(best, 1, n + 1, Double.NEGATIVE_INFINITY);
        forEachArc(
                trie,
                text,
                true,
                (start, end, id) -> {
                    double sum = best[start] + pieces.get(id).score;
                    if (id != without && sum > best[end]) {
                        best[end] = sum;
                        from[end] = start;
                        by[end] = id;
                    }
                });
        var ids = new Ids();
        for (int end = n; best[n] > Double.NEGATIVE_INFINITY && end > 0; end = from[end]) {
            ids.add(by[end]);
        }
        return new Way(ids.toArray(), best[n]);
    }

    private interface Arc {
        void visit(int start, int end, int id);
    }

    /** Every place of every piece in a text, by its start, first to last or last to first. */
    private static void forEachArc(ByteTrie trie, byte[] text, boolean forwards, Arc arc) {
        int n = text.length;
        for (int step = 0; step < n; step++) {
            int start = forwards ? step : n - 1 - step;
            int node = ByteTrie.ROOT;
            for (int i = start; i < n; i++) {
                node = trie.child(node, text[i]);
                if (node == ByteTrie.NONE) {
                    break;
                }
                int id = trie.value(node);
                if (id != ByteTrie.NONE) {
                    arc.visit(start, i + 1, id);
                }
            }
        }
    }

    private static ByteTrie trie(List<Piece> pieces) {
        var trie = new ByteTrie(pieces.size() * 4);
        for (int id = 0; id < pieces.size(); id++) {
            trie.put(Utf8.bytes(pieces.get(id).text), id);
        }
        return trie;
    }

    private static double logAdd(double a, double b) {
        double max = Math.max(a, b);
        return max == Double.NEGATIVE_INFINITY
                ? max
                : max + Math.log1p(Math.exp(Math.min(a, b) - max));
    }
}
