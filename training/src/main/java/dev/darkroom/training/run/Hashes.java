package dev.darkroom.training.run;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Map;
import java.util.TreeMap;

/** SHA-256 of tensors. */
public final class Hashes {
    private static final int CHUNK = 1 << 20;

    private Hashes() {}

    /** Returns the hash of tensors: their names, types, shapes and elements. */
    public static String of(Map<String, Tensor> tensors) {
        var sha = new Sha256();
        new TreeMap<>(tensors)
                .forEach(
                        (name, tensor) -> {
                            sha.addAll(name, tensor.dtype().toString(), tensor.shape().toString());
                            addElements(sha, tensor);
                        });
        return sha.hex();
    }

    private static void addElements(Sha256 sha, Tensor tensor) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            Tensor elements = tensor.to(Device.CPU).contiguous();
            long size = elements.elements() * elements.dtype().bytes();
            for (long done = 0; done < size; done += CHUNK) {
                sha.add(elements.buffer(done, (int) Math.min(CHUNK, size - done)));
            }
        }
    }
}
