/** The command line of the recipe of the embedded model. */
@NullMarked
package dev.darkroom.recipe;

import org.jspecify.annotations.NullMarked;
