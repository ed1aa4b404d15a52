/** Reads the pictures in colour bitmap fonts. */
@NullMarked
package dev.darkroom.recipe.font;

import org.jspecify.annotations.NullMarked;
