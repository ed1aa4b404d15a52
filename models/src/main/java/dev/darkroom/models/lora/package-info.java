/** Low-rank adapters: a network's behaviour changed by a small file beside its own. */
@NullMarked
package dev.darkroom.models.lora;

import org.jspecify.annotations.NullMarked;
