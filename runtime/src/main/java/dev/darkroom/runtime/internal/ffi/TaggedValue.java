package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_value;

/** The layout of a {@code dr_value}, read once: jextract's accessors for constants are calls. */
final class TaggedValue {
    static final long BYTES = dr_value.sizeof();
    static final long TAG = dr_value.tag$offset();
    static final long SIZE = dr_value.size$offset();
    static final long AS = dr_value.as$offset();

    // The tags.
    static final int NONE = DarkroomH.DR_NONE();
    static final int TENSOR = DarkroomH.DR_TENSOR();
    static final int INT = DarkroomH.DR_INT();
    static final int DOUBLE = DarkroomH.DR_DOUBLE();
    static final int BOOL = DarkroomH.DR_BOOL();
    static final int STRING = DarkroomH.DR_STRING();
    static final int DEVICE = DarkroomH.DR_DEVICE();
    static final int GENERATOR = DarkroomH.DR_GENERATOR();
    static final int INT_LIST = DarkroomH.DR_INT_LIST();
    static final int DOUBLE_LIST = DarkroomH.DR_DOUBLE_LIST();
    static final int BOOL_LIST = DarkroomH.DR_BOOL_LIST();
    static final int TENSOR_LIST = DarkroomH.DR_TENSOR_LIST();
    static final int OPTIONAL_TENSOR_LIST = DarkroomH.DR_OPTIONAL_TENSOR_LIST();

    private TaggedValue() {}
}
