package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.TensorHandle;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/** Backward passes over several tensors. */
public final class Gradients {
    private Gradients() {}

    /**
     * Accumulates the gradients of {@code outputs} in the leaves that they were computed from.
     *
     * @param gradients the gradient of each output; null for 1, of a scalar
     * @param retainGraph keeps the recording for another pass
     */
    public static void backward(
            List<Tensor> outputs, List<@Nullable Tensor> gradients, boolean retainGraph) {
        Native.backward(
                Tensor.handles(outputs),
                optional(outputs, gradients),
                retainGraph,
                false,
                ThreadState.current().mode().nativeMode);
    }

    /**
     * Computes the gradients of {@code outputs} with respect to {@code inputs}; the leaves
     * accumulate nothing.
     *
     * @param gradients the gradient of each output; null for 1, of a scalar
     * @param createGraph records the pass itself, for second derivatives
     * @return one per input, null for one that the outputs do not depend on
     */
    public static List<@Nullable Tensor> of(
            List<Tensor> outputs,
            List<@Nullable Tensor> gradients,
            List<Tensor> inputs,
            boolean createGraph) {
        @Nullable TensorHandle[] handles =
                Native.gradients(
                        Tensor.handles(outputs),
                        optional(outputs, gradients),
                        Tensor.handles(inputs),
                        createGraph,
                        createGraph,
                        true,
                        ThreadState.current().mode().nativeMode);
        return Tensor.adoptAll(handles);
    }

    private static List<@Nullable TensorHandle> optional(
            List<Tensor> outputs, List<@Nullable Tensor> gradients) {
        if (outputs.size() != gradients.size()) {
            throw new IllegalArgumentException(
                    outputs.size() + " outputs need as many gradients, not " + gradients.size());
        }
        List<@Nullable TensorHandle> handles = new ArrayList<>(gradients.size());
        for (int i = 0; i < gradients.size(); i++) {
            Tensor gradient = gradients.get(i);
            if (gradient != null) {
                Shape shape = outputs.get(i).shape();
                if (!gradient.shape().equals(shape)) {
                    throw new IllegalArgumentException(
                            "the gradient of an output of shape "
                                    + shape
                                    + " has the same shape, not "
                                    + gradient.shape());
                }
            }
            handles.add(gradient == null ? null : gradient.handle);
        }
        return handles;
    }
}
