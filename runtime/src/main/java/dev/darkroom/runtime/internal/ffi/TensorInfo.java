package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;

/**
 * What does not change while a tensor is only computed with.
 *
 * @param strides steps between neighbours of each dimension, in elements
 * @param device packed type and index
 * @param epoch the value of {@link TensorHandle}'s epoch when this was read
 */
public record TensorInfo(DType dtype, int device, Shape shape, long[] strides, int epoch) {}
