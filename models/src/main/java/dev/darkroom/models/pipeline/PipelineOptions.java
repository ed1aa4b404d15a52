package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import java.util.function.Consumer;

/**
 * How a checkpoint is loaded and run: {@link #defaults}, changed by the {@code with} methods. More
 * options may come, so make them that way and not by the constructor.
 *
 * <pre>{@code
 * var options = PipelineOptions.defaults().withDtype(DType.BFLOAT16).withThreads(4);
 * }</pre>
 *
 * @param dtype type that the networks compute in: {@link DType#FLOAT32}, {@link DType#BFLOAT16},
 *     {@link DType#FLOAT16}, or {@link DType#FLOAT64} to see how much of a difference is rounding
 * @param device where they compute
 * @param threads native threads that an operator may use; 0 for libtorch's choice
 * @param mapped whether weights are mapped from their files, or read; a mapped file must not be cut
 *     short while the pipeline is open
 */
public record PipelineOptions(DType dtype, Device device, int threads, boolean mapped) {
    /** Checks the values. */
    public PipelineOptions {
        if (!dtype.isFloatingPoint() || dtype.bytes() == 1) {
            throw new IllegalArgumentException(
                    "a pipeline computes in float32, bfloat16, float16 or float64, not in "
                            + dtype);
        }
        if (threads < 0 || threads > 1024) {
            throw new IllegalArgumentException(
                    "threads must be 0 (libtorch's choice) to 1024, not " + threads);
        }
    }

    /** float32 on the CPU, mapped, with libtorch's number of threads. */
    public static PipelineOptions defaults() {
        return new PipelineOptions(DType.FLOAT32, Device.CPU, 0, true);
    }

    /** These options with another type. */
    public PipelineOptions withDtype(DType dtype) {
        return with(copy -> copy.dtype = dtype);
    }

    /** These options on another device. */
    public PipelineOptions withDevice(Device device) {
        return with(copy -> copy.device = device);
    }

    /** These options with another number of native threads. */
    public PipelineOptions withThreads(int threads) {
        return with(copy -> copy.threads = threads);
    }

    /** These options with weights mapped, or read. */
    public PipelineOptions withMapped(boolean mapped) {
        return with(copy -> copy.mapped = mapped);
    }

    private PipelineOptions with(Consumer<Copy> change) {
        var copy = new Copy(this);
        change.accept(copy);
        return copy.options();
    }

    /** The options one by one, for what differs from others in one of them. */
    private static final class Copy {
        private DType dtype;
        private Device device;
        private int threads;
        private boolean mapped;

        Copy(PipelineOptions from) {
            dtype = from.dtype;
            device = from.device;
            threads = from.threads;
            mapped = from.mapped;
        }

        PipelineOptions options() {
            return new PipelineOptions(dtype, device, threads, mapped);
        }
    }
}
