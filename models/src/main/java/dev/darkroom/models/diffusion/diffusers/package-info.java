/**
 * diffusers' {@code scheduler_config.json}: each class is read as a process, levels and a solver,
 * with the numbers that diffusers has.
 */
@NullMarked
package dev.darkroom.models.diffusion.diffusers;

import org.jspecify.annotations.NullMarked;
