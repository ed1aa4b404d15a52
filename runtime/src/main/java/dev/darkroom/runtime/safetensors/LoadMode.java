package dev.darkroom.runtime.safetensors;

/** How a checkpoint's bytes become tensors. */
public enum LoadMode {
    /**
     * Tensors use the file in place: loading takes no time and, until a tensor is written to, no
     * memory of its own. The mapping is private: writes stay in the process. The file must not be
     * cut short or rewritten in place while it is used (the process would die); replacing it by a
     * rename is safe.
     */
    MAPPED,

    /**
     * Tensors are copies. For files that others may change: the opened file is read even if the
     * path leads to another one by then.
     */
    READ,

    /**
     * Tensors are of {@link dev.darkroom.runtime.Device#META}: shapes and types from the headers,
     * and nothing else is read.
     */
    HEADERS
}
