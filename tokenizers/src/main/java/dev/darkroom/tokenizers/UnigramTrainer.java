package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.UnigramEstimation.Piece;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Trains a T5 tokenizer on captions: a unigram vocabulary (Kudo, "Subword Regularization", 2018,
 * arXiv:1804.10959, section 3.2).
 *
 * <p>All frequent substrings of words are the first vocabulary. Then, in turn, expectation
 * maximisation estimates the pieces' probabilities, and the pieces whose loss costs the likelihood
 * least are dropped, until the vocabulary is small enough. Single characters stay. The result
 * depends on the captions and the options alone.
 */
public final class UnigramTrainer {
    // The numbers are SentencePiece's.
    private static final int SEED_PIECES = 1_000_000;

    private static final int EM_STEPS = 2;
    private static final double SHRINKING_FACTOR = 0.75;

    /** Pruning stops a little above the size, so that the last cut is by probability. */
    private static final double LAST_CUT = 1.1;

    private static final double MIN_EXPECTED_COUNT = 0.5;
    private static final String SPACE = String.valueOf(SentencePiece.SPACE);

    /**
     * What to train.
     *
     * @param vocabularySize the most tokens there may be, {@code <pad>} (0), {@code </s>} (1) and
     *     {@code <unk>} (2) among them; few captions may give fewer
     * @param lowercase whether captions are put into small letters, now and whenever the tokenizer
     *     is used
     * @param characterCoverage the share of the captions' characters, in (0, 1], that get a token;
     *     the rarest others are unknown
     * @param maxPieceLength the longest piece, in characters
     * @param maxLength {@code model_max_length} of the tokenizer, in tokens
     */
    public record Options(
            int vocabularySize,
            boolean lowercase,
            double characterCoverage,
            int maxPieceLength,
            int maxLength) {

        /**
         * @throws IllegalArgumentException if a number is out of its range
         */
        public Options {
            if (vocabularySize <= TrainedUnigram.SPECIAL) {
                throw new IllegalArgumentException(
                        "vocabularySize is "
                                + vocabularySize
                                + "; it should be more than the "
                                + TrainedUnigram.SPECIAL
                                + " special tokens");
            }
            if (!(characterCoverage > 0 && characterCoverage <= 1)) {
                throw new IllegalArgumentException(
                        "characterCoverage should be above 0 and at most 1, but is "
                                + characterCoverage);
            }
            if (maxPieceLength < 1 || maxLength < 1) {
                throw new IllegalArgumentException(
                        "maxPieceLength and maxLength should be at least 1, but are "
                                + maxPieceLength
                                + " and "
                                + maxLength);
            }
        }

        /**
         * Small letters, all characters but one in 2,000, pieces of up to 16 characters, texts of
         * up to 120 tokens, as PixArt has them.
         */
        public static Options of(int vocabularySize) {
            return new Options(vocabularySize, true, 0.9995, 16, 120);
        }

        /** These options with {@code model_max_length}. */
        public Options withMaxLength(int maxLength) {
            return new Options(
                    vocabularySize, lowercase, characterCoverage, maxPieceLength, maxLength);
        }

        /** These options with or without lower-casing. */
        public Options withLowercase(boolean lowercase) {
            return new Options(
                    vocabularySize, lowercase, characterCoverage, maxPieceLength, maxLength);
        }
    }

    private final Options options;
    private final CaptionRules rules;

    /** A trainer, which can be used any number of times. */
    public UnigramTrainer(Options options) {
        this.options = options;
        this.rules = new CaptionRules(options.lowercase);
    }

    /**
     * Trains a vocabulary.
     *
     * @throws IllegalArgumentException if there are no words in the captions, or more different
     *     characters than the vocabulary has room for
     */
    public TrainedUnigram train(Iterable<String> captions) {
        var words = words(captions);
        var characters = characters(words);
        int size = options.vocabularySize - TrainedUnigram.SPECIAL;
        if (characters.size() > size) {
            throw new IllegalArgumentException(
                    "the captions have "
                            + characters.size()
                            + " characters that each need a token, but vocabularySize leaves room"
                            + " for "
                            + size
                            + "; raise it or lower characterCoverage");
        }
        var chunks = chunks(words, characters);
        var estimation =
                new UnigramEstimation(
                        chunks.keySet().stream().map(Utf8::bytes).toList(),
                        chunks.values().stream().mapToLong(count -> count).toArray());
        var pieces = seed(chunks, characters);
        int target = Math.max((int) (size * LAST_CUT), characters.size());
        while (true) {
            for (int step = 0; step < EM_STEPS; step++) {
                pieces = maximise(pieces, estimation.expect(pieces).counts(), characters);
            }
            if (pieces.size() <= target) {
                break;
            }
            var kept = prune(pieces, estimation, characters, target);
            if (kept.size() == pieces.size()) {
                break;
            }
            pieces = kept;
        }
        return new TrainedUnigram(cut(pieces, characters, size), rules, options);
    }

    /** Words with U+2581 before each, and how often each occurs, in the order of their text. */
    private Map<String, Long> words(Iterable<String> captions) {
        var words = new TreeMap<String, Long>();
        for (var caption : captions) {
            for (var word : rules.words(caption)) {
                words.merge(SPACE + word, 1L, Long::sum);
            }
        }
        if (words.isEmpty()) {
            throw new IllegalArgumentException("there are no words in the captions");
        }
        return words;
    }

    /** The commonest characters that together make up the share that is to be covered. */
    private Map<String, Long> characters(Map<String, Long> words) {
        var counts = new TreeMap<String, Long>();
        words.forEach(
                (word, count) ->
                        word.codePoints()
                                .forEach(
                                        c ->
                                                counts.merge(
                                                        Character.toString(c), count, Long::sum)));
        double total = counts.values().stream().mapToDouble(count -> count).sum();
        var byCount = new ArrayList<>(counts.entrySet());
        byCount.sort(Map.Entry.<String, Long>comparingByValue().reversed());
        var covered = new TreeMap<String, Long>();
        double sum = 0;
        for (var entry : byCount) {
            if (sum >= total * options.characterCoverage) {
                break;
            }
            covered.put(entry.getKey(), entry.getValue());
            sum += entry.getValue();
        }
        covered.putIfAbsent(SPACE, counts.get(SPACE));
        return covered;
    }

    /** What is left of the words between characters that are not covered. */
    private static Map<String, Long> chunks(Map<String, Long> words, Map<String, Long> characters) {
        var chunks = new TreeMap<String, Long>();
        words.forEach(
                (word, count) -> {
                    var chunk = new StringBuilder();
                    word.codePoints()
                            .mapToObj(Character::toString)
                            .forEach(
                                    c -> {
                                        if (characters.containsKey(c)) {
                                            chunk.append(c);
                                        } else if (!chunk.isEmpty()) {
                                            chunks.merge(chunk.toString(), count, Long::sum);
                                            chunk.setLength(0);
                                        }
                                    });
                    if (!chunk.isEmpty()) {
                        chunks.merge(chunk.toString(), count, Long::sum);
                    }
                });
        return chunks;
    }

    /** Characters, and the substrings that occur more than once and cover most text. */
    private List<Piece> seed(Map<String, Long> chunks, Map<String, Long> characters) {
        var counts = new HashMap<String, Long>();
        chunks.forEach(
                (chunk, count) -> {
                    int length = chunk.codePointCount(0, chunk.length());
                    for (int start = 0; start < length; start++) {
                        int from = chunk.offsetByCodePoints(0, start);
                        int longest = Math.min(options.maxPieceLength, length - start);
                        for (int n = 2; n <= longest; n++) {
                            var text = chunk.substring(from, chunk.offsetByCodePoints(from, n));
                            if (!isOfOneKind(text)) {
                                break;
                            }
                            counts.merge(text, count, Long::sum);
                        }
                    }
                });
        var seed = new ArrayList<Piece>();
        counts.forEach(
                (text, count) -> {
                    if (count > 1) {
                        seed.add(
                                new Piece(
                                        text,
                                        (double) count * text.codePointCount(0, text.length())));
                    }
                });
        seed.sort(BEST_FIRST);
        var pieces = new ArrayList<Piece>();
        characters.forEach((text, count) -> pieces.add(new Piece(text, count)));
        pieces.addAll(seed.subList(0, Math.min(seed.size(), SEED_PIECES)));
        double total = pieces.stream().mapToDouble(Piece::score).sum();
        pieces.replaceAll(piece -> new Piece(piece.text(), Math.log(piece.score() / total)));
        return pieces;
    }

    /**
     * Whether a piece has letters only, digits only or neither, and a space at its start only: so
     * that "heart," begins with the piece of "heart".
     */
    private static boolean isOfOneKind(String text) {
        int from = text.startsWith(SPACE) ? 1 : 0;
        return text.substring(from).codePoints().map(UnigramTrainer::kind).distinct().count() <= 1;
    }

    private static int kind(int c) {
        return switch (UnicodeVersion.V16.type(c)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER,
                    Character.NON_SPACING_MARK ->
                    0;
            case Character.DECIMAL_DIGIT_NUMBER -> 1;
            default -> 2;
        };
    }

    private static final Comparator<Piece> BEST_FIRST =
            Comparator.comparingDouble(Piece::score).reversed().thenComparing(Piece::text);

    /**
     * The M-step, with the digamma function in the logarithm's place (a sparse Dirichlet prior,
     * "Bayesian EM"), which lowers what is rare.
     */
    private static List<Piece> maximise(
            List<Piece> pieces, double[] expected, Map<String, Long> characters) {
        var kept = new ArrayList<Piece>();
        double sum = 0;
        for (int id = 0; id < expected.length; id++) {
            var text = pieces.get(id).text();
            double count = expected[id];
            if (count < MIN_EXPECTED_COUNT) {
                if (!characters.containsKey(text)) {
                    continue;
                }
                count = MIN_EXPECTED_COUNT;
            }
            kept.add(new Piece(text, digamma(count)));
            sum += count;
        }
        double logSum = digamma(sum);
        kept.replaceAll(piece -> new Piece(piece.text(), piece.score() - logSum));
        return kept;
    }

    /** Drops pieces by what the best ways' likelihood loses without each. */
    private static List<Piece> prune(
            List<Piece> pieces,
            UnigramEstimation estimation,
            Map<String, Long> characters,
            int target) {
        var counts = estimation.bestCounts(pieces);
        var alternatives = UnigramEstimation.alternatives(pieces);
        double sum = 0;
        for (double count : counts) {
            sum += count;
        }
        var kept = new HashSet<String>();
        var candidates = new ArrayList<Piece>(); // their scores are losses
        for (int id = 0; id < counts.length; id++) {
            var text = pieces.get(id).text();
            var other = alternatives.get(id);
            if (characters.containsKey(text)) {
                kept.add(text);
            } else if (!other.isBetter() && counts[id] > 0) {
                if (other.ids().length == 0) {
                    kept.add(text);
                } else {
                    candidates.add(new Piece(text, loss(id, other.ids(), counts, sum)));
                }
            }
        }
        candidates.sort(BEST_FIRST);
        int size = Math.max(target, (int) (pieces.size() * SHRINKING_FACTOR));
        for (var candidate : candidates) {
            if (kept.size() >= size) {
                break;
            }
            kept.add(candidate.text());
        }
        return pieces.stream().filter(piece -> kept.contains(piece.text())).toList();
    }

    /** The fall of the mean log-likelihood if the piece's text were cut the other way. */
    private static double loss(int id, int[] other, double[] counts, double sum) {
        double with = Math.log(counts[id]) - Math.log(sum);
        double logSumWithout = Math.log(sum + counts[id] * (other.length - 1));
        double without = 0;
        for (int part : other) {
            without += Math.log(counts[part] + counts[id]) - logSumWithout;
        }
        return counts[id] / sum * (with - without);
    }

    /** The characters and the most probable others, best first. */
    private static List<Piece> cut(List<Piece> pieces, Map<String, Long> characters, int size) {
        var sorted = new ArrayList<>(pieces);
        sorted.sort(BEST_FIRST);
        Set<String> missing = new HashSet<>(characters.keySet());
        var vocabulary = new ArrayList<Piece>();
        for (var piece : sorted) {
            boolean isCharacter = missing.remove(piece.text());
            if (isCharacter || vocabulary.size() + missing.size() < size) {
                vocabulary.add(piece);
            }
        }
        return Collections.unmodifiableList(vocabulary);
    }

    /** The derivative of log Γ, for positive arguments: recurrence and asymptotic series. */
    private static double digamma(double x) {
        double shift = 0;
        for (; x < 7; x++) {
            shift -= 1 / x;
        }
        double y = x - 0.5;
        double square = 1 / (y * y);
        return shift
                + Math.log(y)
                + square * (1 / 24.0 - square * (7 / 960.0 - square * 31 / 8064));
    }
}
