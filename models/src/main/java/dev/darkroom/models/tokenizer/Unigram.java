package dev.darkroom.models.tokenizer;

import java.util.Arrays;

/**
 * The most probable way to cut text into pieces, each with its own log-probability (Kudo, "Subword
 * Regularization", 2018, equation 3), found by Viterbi over the bytes.
 *
 * <p>Of equally good ways the one found first stays, as in SentencePiece and in the tokenizers
 * library; for the same reason sums are rounded as they round them: SentencePiece keeps the best
 * sums in single precision, the tokenizers library in double.
 */
final class Unigram {
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
        for (int start = 0; start < n; ) {
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
