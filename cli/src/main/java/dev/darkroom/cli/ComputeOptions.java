package dev.darkroom.cli;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

/** How a checkpoint is loaded, and where and in what types it computes. */
final class ComputeOptions {
    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = Names.DTypes.class,
            completionCandidates = Names.DTypes.class,
            description = "What the networks compute in: ${COMPLETION-CANDIDATES}.")
    private DType dtype = DType.FLOAT32;

    @Option(
            names = "--vae",
            paramLabel = "tiny|FOLDER|ORG/NAME",
            description =
                    "Another autoencoder than the checkpoint's: tiny, the one in its folder"
                            + " vae_tiny; a folder with config.json and weights; or the name of"
                            + " one on a hub.")
    private @Nullable String vae;

    @Option(
            names = "--vae-dtype",
            paramLabel = "TYPE",
            converter = Names.DTypes.class,
            completionCandidates = Names.DTypes.class,
            description =
                    "What the autoencoder computes in; without it, the same, or float32 where its"
                            + " config says that float16 overflows.")
    private @Nullable DType vaeDtype;

    @Option(
            names = "--vae-tiling",
            paramLabel = "auto|on|off",
            converter = Names.Tilings.class,
            completionCandidates = Names.Tilings.class,
            description =
                    "Whether large pictures are decoded in tiles, which takes less memory and"
                            + " differs a little: auto (the default) where the whole does not"
                            + " fit, on, or off.")
    private Tiling vaeTiling = Tiling.AUTO;

    @Option(
            names = "--offload",
            paramLabel = "auto|on|off",
            converter = Names.Offloads.class,
            completionCandidates = Names.Offloads.class,
            description =
                    "Whether text encoder, denoiser and autoencoder are loaded one after the other,"
                            + " for each request anew, and freed in between: auto (the default)"
                            + " where they do not fit in memory together, on, or off. Pictures stay"
                            + " the same.")
    private Offload offload = Offload.AUTO;

    @Option(
            names = "--weights",
            paramLabel = "auto|computed|stored|int8",
            converter = Names.WeightFormats.class,
            completionCandidates = Names.WeightFormats.class,
            description =
                    "What the weights of linear layers are kept as: computed, in --dtype; stored,"
                        + " as the file has them, which takes less memory where that is smaller,"
                        + " more time, and gives the same pictures; int8, which takes a quarter of"
                        + " float32 and changes pictures a little; or auto (the default), the first"
                        + " of these that fits in memory.")
    private WeightFormat weights = WeightFormat.AUTO;

    @Option(
            names = "--variant",
            paramLabel = "NAME",
            description =
                    "Variant of the weights, such as fp16 for model.fp16.safetensors; parts without"
                            + " it are loaded from their plain weights.")
    private @Nullable String variant;

    @Option(
            names = "--strict",
            description =
                    "Refuse a checkpoint with tensors or options that are not known, instead of"
                            + " warning of them.")
    private boolean strict;

    @Option(
            names = "--device",
            paramLabel = "cpu|cuda[:N]",
            converter = Names.Devices.class,
            completionCandidates = Names.Devices.class,
            description = "Where they compute.")
    private Device device = Device.CPU;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Native threads; without it, libtorch's choice.")
    private int threads;

    /** Returns the options of a pipeline. */
    PipelineOptions pipeline() {
        return PipelineOptions.defaults()
                .withDtype(dtype)
                .withVae(vae)
                .withVaeDtype(vaeDtype)
                .withDevice(device)
                .withThreads(threads)
                .withVariant(variant)
                .withTiling(vaeTiling)
                .withOffload(offload)
                .withWeights(weights)
                .withStrict(strict)
                .withLogging(false); // printed instead
    }
}
