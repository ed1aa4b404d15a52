package dev.darkroom.runtime.safetensors;

import java.nio.file.Path;
import java.util.List;

/**
 * What a header says of one tensor; the numbers have been checked against each other and the file.
 *
 * @param name the key in the header
 * @param dtype of an element
 * @param shape sizes, outermost first; empty for a single number
 * @param file the file that holds the bytes
 * @param begin position of the first byte in the file
 * @param end position behind the last byte
 */
public record TensorInfo(
        String name, SafetensorsDType dtype, List<Long> shape, Path file, long begin, long end) {
    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** Bytes of the tensor. */
    public long bytes() {
        return end - begin;
    }

    /** Elements of the tensor: the product of its sizes. */
    public long elements() {
        return shape.stream().reduce(1L, (a, b) -> a * b);
    }
}
