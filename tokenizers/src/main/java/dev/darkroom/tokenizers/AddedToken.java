package dev.darkroom.tokenizers;

/**
 * A token that is found in the text before the model sees it.
 *
 * @param content its text
 * @param singleWord only where no word character touches it
 * @param lstrip takes the white space at its left
 * @param rstrip takes the white space at its right
 * @param normalized looked for in the normalised text (tokenizer.json only)
 * @param special left out when decoding
 */
record AddedToken(
        String content,
        boolean singleWord,
        boolean lstrip,
        boolean rstrip,
        boolean normalized,
        boolean special) {

    /** A special token given by its text alone. */
    static AddedToken special(String content) {
        return new AddedToken(content, false, false, false, false, true);
    }

    /** One of the tokens that T5 was trained to fill gaps with. */
    static AddedToken extraId(int i) {
        return new AddedToken("<extra_id_" + i + ">", false, true, true, false, true);
    }

    boolean isExtraId() {
        return content.contains("<extra_id_");
    }

    AddedToken asSpecial() {
        return new AddedToken(content, singleWord, lstrip, rstrip, normalized, true);
    }
}
