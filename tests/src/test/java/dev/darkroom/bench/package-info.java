/** Measurements of the bridge to libtorch; {@code docs/benchmarks.md} says how to run them. */
@NullMarked
package dev.darkroom.bench;

import org.jspecify.annotations.NullMarked;
