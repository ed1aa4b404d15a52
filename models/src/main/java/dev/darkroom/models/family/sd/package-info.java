/** Stable Diffusion 1.x and 2.x (Rombach et al. 2022) and XL (Podell et al. 2023). */
@NullMarked
package dev.darkroom.models.family.sd;

import org.jspecify.annotations.NullMarked;
