package dev.darkroom.tokenizers;

import java.util.Arrays;

/**
 * The most probable way to cut text into pieces, each with its own log-probability (Kudo, "Subword
 * Regularization", 2018, equation 3), found by Viterbi over the bytes.
 *
 * <p>Of equally good ways the one found first stays, as in SentencePiece and in the tokenizers
 * library; so that the same ones are equal, sums are rounded as they round them: SentencePiece
 * (0.2.3) adds in single precision, and starts from zero again where sums get large, the tokenizers
 * library adds in double precision.
 */
final class Unigram {
    /** Beyond this, single-precision sums are too coarse. */
    private static final double LARGE = 100_000;

    /** An unknown character scores this much below the worst piece. */
    static final float UNKNOWN_PENALTY = 10;

    private final ByteTrie pieces;
    private final double[] scores; // by id
    private final int unkId;
    private final double unkScore;
    private final boolean singlePrecision;

    /**
     * @param pieces text to id
     * @param scores log-probability by id
     * @param unkId the id for a character that no piece covers
     * @param minScore the worst piece's score
     */
    Unigram(ByteTrie pieces, double[] scores, int unkId, double minScore, boolean singlePrecision) {
        this.pieces = pieces;
        this.scores = scores;
        this.unkId = unkId;
        this.singlePrecision = singlePrecision;
        this.unkScore = round(minScore - UNKNOWN_PENALTY);
    }

    /** A text's pieces: their ids and where each ends, in bytes. */
    record Path(int[] ids, int[] ends) {}

    Path bestPath(byte[] text) {
        int n = text.length;
        var best = new double[n + 1]; // the best sum up to here
        var from = new int[n + 1]; // where the last piece of that way starts
        var id = new int[n + 1];
        Arrays.fill(from, -1);
        int reached = 0; // the furthest place with a sum
        for (int start = 0; start < n; ) {
            if (singlePrecision && Math.abs(best[start]) > LARGE) {
                rebase(best, from, start, reached);
            }
            int oneCharacter = start + Math.min(Utf8.length(text[start]), n - start);
            boolean characterKnown = false;
            int node = ByteTrie.ROOT;
            for (int i = start; i < n; i++) {
                node = pieces.child(node, text[i]);
                if (node == ByteTrie.NONE) {
                    break;
                }
                int piece = pieces.value(node);
                if (piece != ByteTrie.NONE) {
                    int end = i + 1;
                    reached = Math.max(reached, end);
                    double sum = round(scores[piece] + best[start]);
                    if (from[end] < 0 || sum > best[end]) {
                        best[end] = sum;
                        from[end] = start;
                        id[end] = piece;
                    }
                    characterKnown |= end == oneCharacter;
                }
            }
            if (!characterKnown) {
                reached = Math.max(reached, oneCharacter);
                double sum = round(unkScore + best[start]);
                if (from[oneCharacter] < 0 || sum > best[oneCharacter]) {
                    best[oneCharacter] = sum;
                    from[oneCharacter] = start;
                    id[oneCharacter] = unkId;
                }
            }
            start = oneCharacter;
        }
        return trace(from, id);
    }

    private void rebase(double[] best, int[] from, int start, int reached) {
        double offset = best[start];
        for (int i = start; i <= reached; i++) {
            if (i == start || from[i] >= 0) {
                best[i] = round(best[i] - offset);
            }
        }
    }

    private static Path trace(int[] from, int[] id) {
        int n = from.length - 1;
        int count = 0;
        for (int end = n; end > 0; end = from[end]) {
            count++;
        }
        var ids = new int[count];
        var ends = new int[count];
        for (int end = n; end > 0; end = from[end]) {
            ids[--count] = id[end];
            ends[count] = end;
        }
        return new Path(ids, ends);
    }

    private double round(double sum) {
        return singlePrecision ? (float) sum : sum;
    }
}
