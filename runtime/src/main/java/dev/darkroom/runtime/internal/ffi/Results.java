package dev.darkroom.runtime.internal.ffi;

import static dev.darkroom.runtime.internal.ffi.TaggedValue.AS;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.BOOL;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.BOOL_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.DOUBLE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.DOUBLE_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.INT;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.INT_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.NONE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.OPTIONAL_TENSOR_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.SIZE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.STRING;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TAG;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TENSOR;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TENSOR_LIST;

import dev.darkroom.bindings.DarkroomH;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What an operator returned, in native memory. Each tensor belongs to the results until a handle
 * takes it over, and they can be taken back: where Java's heap is full, {@link #discard} frees them
 * all and allocates nothing.
 */
final class Results {
    static final int MAX = 16;

    /** All native memory, so that an address can be read without a segment of its own. */
    private static final MemorySegment EVERYWHERE = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    final MemorySegment values;
    final MemorySegment count;

    /** The handles that took tensors over. */
    private TensorHandle[] taken = new TensorHandle[MAX];

    private int takenCount;

    /**
     * @param values room for {@link #MAX} results
     * @param count where the call writes how many there are
     */
    Results(MemorySegment values, MemorySegment count) {
        this.values = values;
        this.count = count;
    }

    /** Begins without results, until a call has written some. */
    void begin() {
        count.set(ValueLayout.JAVA_INT, 0, 0);
    }

    int count() {
        return count.get(ValueLayout.JAVA_INT, 0);
    }

    private int tag(int index) {
        return values.get(ValueLayout.JAVA_INT, index * TaggedValue.BYTES + TAG);
    }

    private int size(int index) {
        return values.get(ValueLayout.JAVA_INT, index * TaggedValue.BYTES + SIZE);
    }

    long payload(int index) {
        return values.get(ValueLayout.JAVA_LONG, index * TaggedValue.BYTES + AS);
    }

    boolean isTensor(int index) {
        return tag(index) == TENSOR;
    }

    boolean isTensorList(int index) {
        int tag = tag(index);
        return tag == TENSOR_LIST || tag == OPTIONAL_TENSOR_LIST;
    }

    /** Returns a scalar. */
    double real(int index) {
        long payload = payload(index);
        return tag(index) == DOUBLE ? Double.longBitsToDouble(payload) : payload;
    }

    /** Returns an integral scalar, which a double may not hold. */
    long integer(int index) {
        long payload = payload(index);
        return tag(index) == DOUBLE ? (long) Double.longBitsToDouble(payload) : payload;
    }

    // ---- Tensors ----

    /** Takes a tensor over; null if it is undefined. */
    @Nullable TensorHandle tensor(int index) {
        if (!isTensor(index)) {
            return null;
        }
        TensorHandle tensor = take(payload(index));
        values.set(ValueLayout.JAVA_LONG, index * TaggedValue.BYTES + AS, 0);
        return tensor;
    }

    /** Takes the tensors of a list over. */
    @Nullable TensorHandle[] tensorList(int index) {
        var tensors = new @Nullable TensorHandle[size(index)];
        for (int i = 0; i < tensors.length; i++) {
            long at = payload(index) + 8L * i;
            long address = EVERYWHERE.get(ValueLayout.JAVA_LONG, at);
            if (address != 0) {
                tensors[i] = take(address);
                EVERYWHERE.set(ValueLayout.JAVA_LONG, at, 0);
            }
        }
        free(index);
        return tensors;
    }

    private TensorHandle take(long address) {
        if (takenCount == taken.length) {
            taken = Arrays.copyOf(taken, 2 * takenCount);
        }
        var tensor = new TensorHandle(address);
        taken[takenCount++] = tensor;
        return tensor;
    }

    /** Drops the reference to a tensor that has a handle already. */
    void drop(int index) {
        long address = payload(index);
        values.set(ValueLayout.JAVA_LONG, index * TaggedValue.BYTES + AS, 0);
        References.freeTensor(address);
    }

    int taken() {
        return takenCount;
    }

    TensorHandle taken(int index) {
        return taken[index];
    }

    /** Forgets the handles that took tensors over: they are the caller's now. */
    void clear() {
        Arrays.fill(taken, 0, takenCount, null);
        takenCount = 0;
    }

    /** Frees everything: there are no results any more. */
    void discard() {
        for (int i = 0; i < takenCount; i++) {
            taken[i].abandon();
        }
        for (int i = 0; i < count(); i++) {
            if (isTensor(i)) {
                References.freeTensor(payload(i));
            } else if (isTensorList(i)) {
                for (int j = 0; j < size(i); j++) {
                    References.freeTensor(
                            EVERYWHERE.get(ValueLayout.JAVA_LONG, payload(i) + 8L * j));
                }
            }
        }
        if (count() > 0) { // else the library may not even be loaded
            DarkroomH.dr_results_free(values, count());
        }
        clear();
        begin();
    }

    // ---- Other values ----

    /** Returns a result that holds no tensor. */
    @Nullable Object plain(int index) {
        int tag = tag(index);
        if (tag == NONE) {
            return null;
        } else if (tag == INT) {
            return payload(index);
        } else if (tag == DOUBLE) {
            return real(index);
        } else if (tag == BOOL) {
            return payload(index) != 0;
        }
        Object array = array(index, tag);
        free(index);
        return array;
    }

    private Object array(int index, int tag) {
        int size = size(index);
        if (tag == STRING) {
            return new String(bytes(index, size), StandardCharsets.UTF_8);
        } else if (tag == INT_LIST) {
            return memory(index, size * 8L).toArray(ValueLayout.JAVA_LONG);
        } else if (tag == DOUBLE_LIST) {
            return memory(index, size * 8L).toArray(ValueLayout.JAVA_DOUBLE);
        } else if (tag == BOOL_LIST) {
            byte[] bytes = bytes(index, size);
            var bools = new boolean[size];
            for (int i = 0; i < size; i++) {
                bools[i] = bytes[i] != 0;
            }
            return bools;
        }
        throw new IllegalStateException("a value of unknown kind " + tag);
    }

    private byte[] bytes(int index, int size) {
        return memory(index, size).toArray(ValueLayout.JAVA_BYTE);
    }

    private MemorySegment memory(int index, long bytes) {
        return MemorySegment.ofAddress(payload(index)).reinterpret(bytes);
    }

    /** Frees the array or string of a result. */
    private void free(int index) {
        DarkroomH.dr_results_free(values.asSlice(index * TaggedValue.BYTES, TaggedValue.BYTES), 1);
    }
}
