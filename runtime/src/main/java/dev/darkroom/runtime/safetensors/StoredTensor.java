package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.Shape;

import java.nio.file.Path;

/**
 * What a header says of one tensor; the numbers have been checked against each other and the file.
 *
 * @param name the key in the header
 * @param dtype of an element
 * @param shape of the tensor; for a dtype smaller than a byte the elements are packed
 * @param file the file that holds the bytes
 * @param begin position of the first byte in the file
 * @param end position behind the last byte
 */
public record StoredTensor(
        String name, SafetensorsDType dtype, Shape shape, Path file, long begin, long end) {
    /** Returns the bytes of the tensor. */
    public long bytes() {
        return end - begin;
    }
}
