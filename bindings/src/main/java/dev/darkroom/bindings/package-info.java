/**
 * jextract's output for {@code darkroom.h}. Only {@code dev.darkroom.runtime} uses it.
 *
 * <p>Nothing here loads a library. A function is looked up on its first call, among the libraries
 * that classes of this package's own class loader loaded with {@link System#load}; whoever loads
 * {@code libdarkroom} must therefore share that loader, and do so before the first call.
 *
 * <p>Array fields are read and written through the segment of the whole array ({@code
 * dr_tensor_info.sizes(info)}). The accessors with an index ({@code sizes(info, i)}) ignore the
 * field's offset, a fault of every jextract whose output runs on Java 22.
 */
package dev.darkroom.bindings;
