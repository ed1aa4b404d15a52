/** Commands of {@code darkroom}: they parse arguments, call {@code models} and print. */
@NullMarked
package dev.darkroom.cli;

import org.jspecify.annotations.NullMarked;
