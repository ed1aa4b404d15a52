/**
 * Checkpoints in the safetensors format: reading files that nobody vouches for, and writing.
 *
 * <p>A file is a 64-bit little-endian length, that many bytes of JSON (the header), and the bytes
 * of the tensors without holes. {@link dev.darkroom.runtime.safetensors.Safetensors} opens a file
 * or the index of a sharded checkpoint; {@link dev.darkroom.runtime.safetensors.SafetensorsHeader}
 * reads one file's header only; every broken rule is a {@link
 * dev.darkroom.runtime.safetensors.SafetensorsException} of its own kind.
 *
 * <p>Everything that the format's reference implementation refuses is refused. So is some of what
 * it accepts: a name or a metadata key given twice (the last one wins there), a tensor's entry
 * written as a list, fields that the format does not have, {@code __metadata__} that is null, more
 * than 64 dimensions, sizes that overflow 63 bits although another size is 0, and, once it is
 * loaded, a BOOL tensor with bytes other than 0 and 1.
 */
@NullMarked
package dev.darkroom.runtime.safetensors;

import org.jspecify.annotations.NullMarked;
