package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

/**
 * How a checkpoint is loaded and run.
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
        return new PipelineOptions(dtype, device, threads, mapped);
    }

    /** These options on another device. */
    public PipelineOptions withDevice(Device device) {
        return new PipelineOptions(dtype, device, threads, mapped);
    }

    /** These options with another number of native threads. */
    public PipelineOptions withThreads(int threads) {
        return new PipelineOptions(dtype, device, threads, mapped);
    }

    /** These options with weights mapped, or read. */
    public PipelineOptions withMapped(boolean mapped) {
        return new PipelineOptions(dtype, device, threads, mapped);
    }
}
