package dev.darkroom.training.data;

/** What becomes of a file that is not as it should be. */
@FunctionalInterface
interface Problems {
    /** Ends the reading with the first problem. */
    Problems THROW =
            problem -> {
                throw problem;
            };

    /** Takes a problem; what it is about is left out. */
    void add(DataException problem) throws DataException;
}
