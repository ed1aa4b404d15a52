/** Reads the JSON configs of checkpoints, strictly. */
@NullMarked
package dev.darkroom.models.config;

import org.jspecify.annotations.NullMarked;
