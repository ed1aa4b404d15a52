package dev.darkroom.models.checkpoint;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.List;

/**
 * How a checkpoint's parts are loaded.
 *
 * @param dtype type that the networks compute in
 * @param vaeDtype type that the autoencoder computes in; null to choose it by its config
 * @param device where they compute
 * @param mapped whether weights are mapped from their files, or read
 * @param variant which weights are loaded where a part has several; null for the plain ones
 * @param strict whether what is not known is an error
 * @param tiling when latents are decoded in tiles
 * @param offload when the parts take turns in memory
 * @param weights what the weights of linear layers are kept as
 * @param vae folder of an autoencoder that takes the place of the checkpoint's; null for its own
 * @param controls folders or single files of ControlNets, beside those of the checkpoint
 */
public record LoadOptions(
        DType dtype,
        @Nullable DType vaeDtype,
        Device device,
        boolean mapped,
        @Nullable String variant,
        boolean strict,
        Tiling tiling,
        Offload offload,
        WeightFormat weights,
        @Nullable Path vae,
        List<Path> controls) {
    public LoadOptions {
        controls = List.copyOf(controls);
    }

    /** Options that load each part when it is asked for, in the type that is computed in. */
    public LoadOptions(
            DType dtype,
            @Nullable DType vaeDtype,
            Device device,
            boolean mapped,
            @Nullable String variant,
            boolean strict,
            Tiling tiling) {
        this(
                dtype,
                vaeDtype,
                device,
                mapped,
                variant,
                strict,
                tiling,
                Offload.OFF,
                WeightFormat.COMPUTED,
                null,
                List.of());
    }

    /**
     * Whether each part is loaded when it is asked for, before it is known what the others take.
     */
    boolean loadAtOnce() {
        return offload == Offload.OFF && weights != WeightFormat.AUTO;
    }
}
