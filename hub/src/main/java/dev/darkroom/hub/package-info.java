/**
 * Models by their names: {@link dev.darkroom.hub.Hub} finds {@code ORG/NAME[@REVISION][:VARIANT]}
 * in the cache that it shares with Python's {@code huggingface_hub}, or downloads what is needed of
 * it.
 *
 * <p>The protocol and the layout of the cache are those of {@code huggingface_hub} 0.36. A file is
 * known by its hash: what arrives is checked against it before it gets its name, so that the cache
 * never holds half a file or another's, whoever else writes there at the same time. Every name and
 * header that a server sends is checked before it becomes a path, and nothing is written through a
 * link of another.
 */
@NullMarked
package dev.darkroom.hub;

import org.jspecify.annotations.NullMarked;
