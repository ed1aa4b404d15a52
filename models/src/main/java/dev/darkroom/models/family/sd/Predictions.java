package dev.darkroom.models.family.sd;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

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

    /** Empty tensors by which programs know files that say nothing. */
    private static final String VELOCITY_MARK = "v_pred";

    private static final String ZERO_SNR_MARK = "ztsnr";

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
        boolean zeroSnr = tensors.containsKey(ZERO_SNR_MARK);
        String specified = header.metadata().get(SPECIFIED);
        if (specified != null) {
            return new Predictions(specified.startsWith("v") ? VELOCITY : EPSILON, zeroSnr);
        }
        if (tensors.containsKey(VELOCITY_MARK) || (second && isSpread(header))) {
            return new Predictions(VELOCITY, zeroSnr);
        }
        return new Predictions(EPSILON, zeroSnr);
    }

    /** Reads a {@code scheduler_config.json}. */
    static Predictions of(ObjectNode scheduler) {
        return new Predictions(
                scheduler.path("prediction_type").asText(EPSILON),
                scheduler.path("rescale_betas_zero_snr").asBoolean());
    }

    boolean isOfVelocities() {
        return type.equals(VELOCITY);
    }

    /** Returns metadata that say this, so that no tensor has to be read. */
    Map<String, String> metadata() {
        return Map.of(SPECIFIED, isOfVelocities() ? "v" : EPSILON);
    }

    /** Returns the names of empty tensors that say it, of which there may be none. */
    List<String> marks() {
        List<String> marks = new ArrayList<>();
        if (isOfVelocities()) {
            marks.add(VELOCITY_MARK);
        }
        if (zeroSnr) {
            marks.add(ZERO_SNR_MARK);
        }
        return marks;
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
