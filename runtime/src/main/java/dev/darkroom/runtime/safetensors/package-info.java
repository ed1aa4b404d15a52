/**
 * Checkpoints in the safetensors format: reading files that nobody vouches for, and writing.
 *
 * <p>A file is a 64-bit little-endian length, that many bytes of JSON (the header), and the bytes
 * of the tensors without holes. {@link dev.darkroom.runtime.safetensors.Safetensors} opens a file
 * or the index of a sharded checkpoint; {@link dev.darkroom.runtime.safetensors.SafetensorsHeader}
 * reads one file's header only; every broken rule is a {@link
 * dev.darkroom.runtime.safetensors.SafetensorsException} of its own kind.
 */
@NullMarked
package dev.darkroom.runtime.safetensors;

import org.jspecify.annotations.NullMarked;
