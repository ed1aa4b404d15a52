/** Says what a picture shows, and so whether a model learned. */
@NullMarked
package dev.darkroom.recipe.score;

import org.jspecify.annotations.NullMarked;
