package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.List;

/**
 * What the U-Net of a single file predicts.
 *
 * @param type as schedulers' {@code prediction_type}
 * @param zeroSnr whether it was trained with noise alone as the last level
 */
record Predictions(String type, boolean zeroSnr) {
    private static final String EPSILON = "epsilon";
    private static final String VELOCITY = "v_prediction";

    /** Files that say what they are: https://github.com/Stability-AI/ModelSpec. */
    private static final String SPECIFIED = "modelspec.prediction_type";

    /** Marks files whose noise levels are not those of Stable Diffusion. */
    private static final List<String> OTHER_LEVELS =
            List.of("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min");

    /** By this norm's spread other programs tell the two kinds of Stable Diffusion 2 apart. */
    private static final String TELLING =
            "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias";

    private static final double LEAST_SPREAD_OF_VELOCITY = 0.09;

    /**
     * Reads a file's metadata and marks; without any, of Stable Diffusion 2 a tensor.
     *
     * @param second whether it is of Stable Diffusion 2
     * @throws IOException if the tensor can't be read, or the file is of a kind that is not
     *     supported
     */
    static Predictions of(SafetensorsHeader header, boolean second) throws IOException {
        var tensors = header.tensors();
        for (String mark : OTHER_LEVELS) {
            if (tensors.containsKey(mark)) {
                throw new CheckpointException(
                        header.file()
                                + " has "
                                + mark
                                + ", which marks a model trained on the noise levels of EDM;"
                                + " single files of that kind are not supported, use its folder");
            }
        }
        boolean zeroSnr = tensors.containsKey("ztsnr");
        String specified = header.metadata().get(SPECIFIED);
        if (specified != null) {
            return new Predictions(specified.startsWith("v") ? VELOCITY : EPSILON, zeroSnr);
        }
        if (tensors.containsKey("v_pred") || (second && isSpread(header))) {
            return new Predictions(VELOCITY, zeroSnr);
        }
        return new Predictions(EPSILON, zeroSnr);
    }

    private static boolean isSpread(SafetensorsHeader header) throws IOException {
        if (!header.tensors().containsKey(TELLING)) {
            return false;
        }
        try (var scope = TensorScope.open();
                var opened = Safetensors.open(header.file(), LoadMode.READ)) {
            Tensor bias = opened.tensor(TELLING).to(DType.FLOAT32);
            double[] values = bias.toDoubleArray();
            double mean = 0;
            for (double value : values) {
                mean += value / values.length;
            }
            double variance = 0;
            for (double value : values) {
                variance += (value - mean) * (value - mean) / values.length;
            }
            return Math.sqrt(variance) > LEAST_SPREAD_OF_VELOCITY;
        }
    }
}
