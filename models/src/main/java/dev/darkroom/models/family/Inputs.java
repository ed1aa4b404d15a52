package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;

/**
 * What pictures are to show. A family says what it takes; anything else is an error.
 *
 * @param prompt a text; null for none, which an empty text is not
 * @param negativePrompt what guidance leads away from; empty for nothing in particular
 * @param classes names or numbers, one for all pictures or one for each (which sets a batch of one
 *     to their number); empty for none
 * @param maxTokens text length in tokens, 1 to 4096; null for the family's
 * @param batch how many pictures are made, 1 to 4096
 */
public record Inputs(
        @Nullable String prompt,
        String negativePrompt,
        List<String> classes,
        @Nullable Integer maxTokens,
        int batch) {
    private static final int MAX_BATCH = 4096;
    private static final int MAX_TOKENS = 4096;

    /**
     * Checks what can be checked without a model.
     *
     * @throws IllegalArgumentException if a number is out of range
     */
    public Inputs {
        Objects.requireNonNull(negativePrompt, "negativePrompt; empty for none");
        classes = List.copyOf(classes);
        if (batch == 1 && classes.size() > 1) {
            batch = classes.size();
        }
        if (classes.size() > 1 && classes.size() != batch) {
            throw new IllegalArgumentException(
                    classes.size() + " classes need as many pictures, not a batch of " + batch);
        }
        if (batch < 1 || batch > MAX_BATCH) {
            throw new IllegalArgumentException(
                    "batch must be 1 to " + MAX_BATCH + ", not " + batch);
        }
        if (maxTokens != null && (maxTokens < 1 || maxTokens > MAX_TOKENS)) {
            throw new IllegalArgumentException(
                    "max tokens must be 1 to " + MAX_TOKENS + ", not " + maxTokens);
        }
    }
}
