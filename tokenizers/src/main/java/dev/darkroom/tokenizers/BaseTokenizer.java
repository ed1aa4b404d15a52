package dev.darkroom.tokenizers;

import java.util.Arrays;

/** Cutting, padding and the ends, on top of the ids of a text's content. */
abstract class BaseTokenizer implements Tokenizer {
    private final int[] prefix;
    private final int[] suffix;
    private final int padId;
    private final int eosId;
    private final int maxLength;

    BaseTokenizer(int[] prefix, int[] suffix, int padId, int eosId, int maxLength) {
        this.prefix = prefix;
        this.suffix = suffix;
        this.padId = padId;
        this.eosId = eosId;
        this.maxLength = maxLength;
    }

    /** The ids of a well-formed text without those that go around every text. */
    abstract int[] ids(String text);

    /** Whether content that ends with the end token already gets no second one. */
    boolean keepsGivenEnd() {
        return false;
    }

    @Override
    public int[] encode(String text) {
        return withEnds(content(text));
    }

    @Override
    public int[] content(String text) {
        return ids(readable(text));
    }

    @Override
    public Tokens encode(String text, int maxLength) {
        return framed(content(text), maxLength);
    }

    @Override
    public Tokens framed(int[] content, int maxLength) {
        int ends = prefix.length + suffix.length;
        if (maxLength < ends) {
            throw new IllegalArgumentException(
                    "maxLength is " + maxLength + " but there are " + ends + " special tokens");
        }
        int whole = withEnds(content).length;
        // A text that fits only because of its own end token is cut all the same, as the
        // references do; the result is the same.
        var ids = withEnds(Arrays.copyOf(content, Math.min(content.length, maxLength - ends)));
        int length = ids.length;
        ids = Arrays.copyOf(ids, maxLength);
        Arrays.fill(ids, length, maxLength, padId);
        var mask = new boolean[maxLength];
        Arrays.fill(mask, 0, length, true);
        return new Tokens(ids, mask, whole);
    }

    private static String readable(String text) {
        Limits.requireText(text);
        return Utf8.wellFormed(text);
    }

    private int[] withEnds(int[] content) {
        boolean ended =
                keepsGivenEnd() && content.length > 0 && content[content.length - 1] == eosId;
        int after = ended ? 0 : suffix.length;
        var ids = Arrays.copyOf(prefix, prefix.length + content.length + after);
        System.arraycopy(content, 0, ids, prefix.length, content.length);
        System.arraycopy(suffix, 0, ids, prefix.length + content.length, after);
        return ids;
    }

    @Override
    public int padId() {
        return padId;
    }

    @Override
    public int eosId() {
        return eosId;
    }

    @Override
    public int maxLength() {
        return maxLength;
    }

    IllegalArgumentException notAnId(int id) {
        return new IllegalArgumentException(
                "id " + id + " is not one of the tokenizer's " + size() + " tokens");
    }
}
