package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Colour;

import org.jspecify.annotations.Nullable;

/**
 * What a picture shows.
 *
 * @param emoji the character whose training picture is nearest; null if there is no object
 * @param background the colour behind it
 * @param object the colour that most of the object has; null if there is no object
 * @param nearest the file of the training picture whose object looks most like it; null if the
 *     scorer does not know them one by one
 * @param apart squared distance of the features to that picture's, 0 to about 4
 * @param copied root mean square difference, in levels of 0 to 255, to the training picture with
 *     the most similar pixels
 * @param sharpness strength of the edges, as a share of that in the training picture whose object
 *     looks most like it; NaN if the scorer does not know them one by one, 0 if there is no object
 */
public record Verdict(
        @Nullable String emoji,
        Colour background,
        @Nullable Colour object,
        @Nullable String nearest,
        double apart,
        double copied,
        double sharpness) {}
