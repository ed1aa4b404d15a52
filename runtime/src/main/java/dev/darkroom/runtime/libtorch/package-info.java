/** How libtorch fails: there is none that can be used, or it refuses a call. */
@NullMarked
package dev.darkroom.runtime.libtorch;

import org.jspecify.annotations.NullMarked;
