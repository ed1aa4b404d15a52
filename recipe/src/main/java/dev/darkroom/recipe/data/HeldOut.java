package dev.darkroom.recipe.data;

import dev.darkroom.training.run.Seeds;

/**
 * What is kept from training, by a hash of seed, emoji and colours: one (emoji, background) pair of
 * {@value #PAIRS}, in whatever colour the object is, and of the others one (object colour, emoji,
 * background) triple of {@value #TRIPLES}. White backgrounds are never held out in pairs, since
 * captions without a background mean them.
 *
 * @param seed of the data
 */
record HeldOut(long seed) {
    static final int PAIRS = 24;
    static final int TRIPLES = 20;

    private static final long PAIR = 1;
    private static final long TRIPLE = 2;

    boolean pair(Emoji emoji, Colour background) {
        return background != Colour.WHITE
                && isHit(PAIRS, PAIR, emoji.codePoint(), background.ordinal());
    }

    boolean triple(Colour object, Emoji emoji, Colour background) {
        return isHit(TRIPLES, TRIPLE, emoji.codePoint(), background.ordinal(), object.ordinal());
    }

    private boolean isHit(int of, long... place) {
        return Long.remainderUnsigned(Seeds.of(seed, place), of) == 0;
    }
}
