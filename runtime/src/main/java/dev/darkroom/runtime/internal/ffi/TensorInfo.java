package dev.darkroom.runtime.internal.ffi;

/**
 * What does not change while a tensor is only computed with.
 *
 * @param dtype libtorch's number of the type
 * @param device packed type and index
 * @param sizes of the dimensions; not to be changed
 * @param strides steps between neighbours of each dimension, in elements; not to be changed
 * @param epoch the value of {@link TensorHandle}'s epoch when this was read
 */
public record TensorInfo(int dtype, int device, long[] sizes, long[] strides, int epoch) {}
