/**
 * Makes the training pictures: which emoji, on which backgrounds, in which colours, captioned how,
 * and what is held out.
 */
@NullMarked
package dev.darkroom.recipe.data;

import org.jspecify.annotations.NullMarked;
