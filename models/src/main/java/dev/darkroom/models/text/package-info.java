/** What text encoders have in common. */
@NullMarked
package dev.darkroom.models.text;

import org.jspecify.annotations.NullMarked;
