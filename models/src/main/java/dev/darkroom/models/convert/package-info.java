/** Checkpoint folders from single files, and single files from folders. */
@NullMarked
package dev.darkroom.models.convert;

import org.jspecify.annotations.NullMarked;
