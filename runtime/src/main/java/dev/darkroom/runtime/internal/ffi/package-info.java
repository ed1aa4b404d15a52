/**
 * Calls of the native library: the only package that touches the generated bindings. It holds
 * handles while calls run, turns status codes into exceptions, and finds and loads libtorch.
 */
@NullMarked
package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.NullMarked;
