/**
 * What every module does with files: sizes as people read them, hashes, limits before reading,
 * writing them whole, and messages of one line.
 */
@NullMarked
package dev.darkroom.common;

import org.jspecify.annotations.NullMarked;
