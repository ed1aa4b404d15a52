/** Checkpoints in the layout of public hubs: their parts, configs and weights. */
@NullMarked
package dev.darkroom.models.checkpoint;

import org.jspecify.annotations.NullMarked;
