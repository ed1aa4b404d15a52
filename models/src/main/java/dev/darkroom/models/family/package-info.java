/**
 * What a family of models is to the pipeline and to training: a network, a conditioner, a codec of
 * latents, a sampler, defaults. Each family is a package below this one.
 */
@NullMarked
package dev.darkroom.models.family;

import org.jspecify.annotations.NullMarked;
