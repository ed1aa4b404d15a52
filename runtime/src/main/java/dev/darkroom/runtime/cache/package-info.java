/**
 * Files that Darkroom keeps on a machine from one run to the next: what is unpacked once, and the
 * hashes of large files.
 */
@NullMarked
package dev.darkroom.runtime.cache;

import org.jspecify.annotations.NullMarked;
