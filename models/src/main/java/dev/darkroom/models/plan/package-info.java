/**
 * What a checkpoint takes on this machine, from its configs and the headers of its weights alone:
 * parameters, memory at each stage, time, and what makes it fit.
 */
@NullMarked
package dev.darkroom.models.plan;

import org.jspecify.annotations.NullMarked;
