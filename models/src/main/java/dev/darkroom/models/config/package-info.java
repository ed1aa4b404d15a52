/** Reads the JSON configs of checkpoints and of training, so that no option is silently dropped. */
@NullMarked
package dev.darkroom.models.config;

import org.jspecify.annotations.NullMarked;
