package dev.darkroom.training.stage;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Parts of other runs and checkpoints. */
final class Inputs {
    private Inputs() {}

    /** Makes a network of its weights. */
    @FunctionalInterface
    interface Maker<M extends Module> {
        M make(WeightSource weights, DType dtype, Device device, Warnings warnings)
                throws IOException;
    }

    /**
     * A network of a part's weights, which are read into memory of their own.
     *
     * @param stem of the weights' files
     */
    static <M extends Module> M network(
            Path part, String stem, DType dtype, Device device, Warnings warnings, Maker<M> maker)
            throws IOException {
        Path weights = WeightFiles.find(part, stem, null).path();
        try (var file = Safetensors.open(weights, LoadMode.READ)) {
            return maker.make(file.weights(), dtype, device, warnings);
        }
    }

    /** The hash of all files of a part. */
    static String hash(Path part) throws IOException {
        var sha = new Sha256();
        try (var files = Files.walk(part)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                sha.addAll(part.relativize(file).toString(), Sha256.of(file));
            }
        }
        return sha.hex();
    }
}
