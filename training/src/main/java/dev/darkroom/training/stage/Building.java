package dev.darkroom.training.stage;

import java.util.function.Function;

/** Making things of parts that are to be closed. */
final class Building {
    private Building() {}

    /**
     * Makes something that takes a part over.
     *
     * @return what {@code make} returns; if that fails, the part is closed
     */
    static <P extends AutoCloseable, T> T with(P part, Function<? super P, T> make) {
        try {
            return make.apply(part);
        } catch (RuntimeException | Error e) {
            try {
                part.close();
            } catch (Exception further) {
                e.addSuppressed(further);
            }
            throw e;
        }
    }
}
