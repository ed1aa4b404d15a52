/**
 * What every module says about files: sizes as people read them, hashes, limits before reading, and
 * messages of one line.
 */
@NullMarked
package dev.darkroom.common;

import org.jspecify.annotations.NullMarked;
