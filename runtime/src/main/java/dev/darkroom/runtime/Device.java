package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;

import java.util.Locale;
import java.util.Objects;

/**
 * A device: where a tensor's memory is and where operators on it compute.
 *
 * @param type kind of device
 * @param index which one, from 0; −1 for the current one (always −1 for the CPU)
 */
public record Device(Type type, int index) {
    /** Kinds of device; {@code code} is libtorch's {@code c10::DeviceType}. */
    public enum Type {
        /** The host. */
        CPU(0),
        /** NVIDIA GPUs, and AMD's in a ROCm build of libtorch. */
        CUDA(1),
        /** Intel GPUs. */
        XPU(12),
        /** Apple GPUs. */
        MPS(13),
        /** Shapes without elements, see {@link Device#META}. */
        META(14);

        private final int code;

        Type(int code) {
            this.code = code;
        }

        /** Returns libtorch's number of this type. */
        public int code() {
            return code;
        }

        /** Returns how many devices of this type the loaded libtorch can use. */
        public int count() {
            return Native.deviceCount(code);
        }

        /** Returns PyTorch's name, such as {@code cuda}. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The host. */
    public static final Device CPU = new Device(Type.CPU, -1);

    /**
     * No device at all: its tensors have a type and a shape, but no elements, and take no memory.
     * Operators on them compute the shapes of their results, as the CPU would have them, which
     * {@link DryRun} counts. An operator that needs values fails.
     */
    public static final Device META = new Device(Type.META, -1);

    /** Checks the index. */
    public Device {
        Objects.requireNonNull(type, "type");
        if (index < -1 || index > 127) {
            throw new IllegalArgumentException("no device index " + index + "; use 0 to 127");
        }
        if (type == Type.CPU && index > 0) {
            throw new IllegalArgumentException("there is one CPU device; use \"cpu\"");
        }
        if (type == Type.CPU || type == Type.META) {
            index = -1;
        }
    }

    /** Returns the GPU with an index from 0. */
    public static Device cuda(int index) {
        return new Device(Type.CUDA, index);
    }

    /**
     * Reads {@code cpu}, {@code cuda} or {@code cuda:1}.
     *
     * @throws IllegalArgumentException if it is none of these
     */
    public static Device parse(String text) {
        int colon = text.indexOf(':');
        String name = colon < 0 ? text : text.substring(0, colon);
        for (Type type : Type.values()) {
            if (type != Type.META && type.toString().equals(name)) {
                try {
                    return new Device(
                            type,
                            colon < 0
                                    ? type == Type.CPU ? -1 : 0
                                    : Integer.parseInt(text.substring(colon + 1)));
                } catch (NumberFormatException e) {
                    break;
                }
            }
        }
        throw new IllegalArgumentException(
                "no device \"" + text + "\"; use cpu, cuda or cuda:N with N from 0");
    }

    /** Waits until the device has finished the work given to it. */
    public void synchronize() {
        Native.synchronize(code());
    }

    /** Returns whether operators are computed as on the CPU: there, or as shapes alone. */
    boolean isLikeCpu() {
        return type == Type.CPU || type == Type.META;
    }

    /** Returns the shim's packed form: type and index in one number. */
    int code() {
        return (type.code << 8) | (index & 0xff);
    }

    static Device ofCode(int code) {
        int type = code >> 8;
        for (Type candidate : Type.values()) {
            if (candidate.code == type) {
                return new Device(candidate, (byte) code);
            }
        }
        throw new IllegalArgumentException("libtorch's device type " + type + " is not supported");
    }

    /** Returns PyTorch's name, such as {@code cuda:0}. */
    @Override
    public String toString() {
        return index < 0 ? type.toString() : type + ":" + index;
    }
}
