package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * What a picture is to show. A family says what it takes; anything else is an error.
 *
 * @param prompt a text; null for none, which an empty text is not
 * @param negativePrompt what guidance leads away from; empty for nothing in particular
 * @param classes names or numbers, one for all pictures or one for each; empty for none
 * @param maxTokens text length in tokens; null for the family's
 * @param pictures how many are made
 */
public record Inputs(
        @Nullable String prompt,
        String negativePrompt,
        List<String> classes,
        @Nullable Integer maxTokens,
        int pictures) {
    public Inputs {
        classes = List.copyOf(classes);
    }
}
