package dev.darkroom.models.pipeline;

import dev.darkroom.models.family.LatentCodec;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.LongStream;

/** Makes pictures of latents, one by one, so that memory does not grow with the batch. */
record PictureDecoder(LatentCodec codec) {
    /**
     * Decodes, scales to cover a size and cuts what is over on both sides.
     *
     * @param latents {@code [N,…]}
     * @param before called before each picture, and may end the run by an exception
     */
    List<Picture> decode(Tensor latents, Size size, Trace trace, Runnable before, Notes notes) {
        List<Picture> pictures = new ArrayList<>();
        List<Tensor> images = new ArrayList<>();
        for (Tensor one : rows(latents)) {
            before.run();
            try (var scope = TensorScope.open()) {
                Tensor image = image(one, size, notes);
                if (image.device().type() == Device.Type.META) {
                    continue; // shapes alone make no picture
                }
                pictures.add(Picture.of(image.select(0, 0)));
                if (trace.isOn()) {
                    images.add(scope.keep(image));
                }
            }
        }
        if (trace.isOn()) {
            trace.named("image", Ops.cat(0, images).permute(0, 2, 3, 1));
        }
        return pictures;
    }

    /**
     * Decodes an estimate during a run.
     *
     * @param denoised {@code [N,…]}
     */
    List<Picture> preview(Tensor denoised) {
        return shown(denoised, codec::preview);
    }

    /**
     * Shows an estimate during a run, perhaps roughly.
     *
     * @param denoised {@code [N,…]}
     */
    List<Picture> quickPreview(Tensor denoised) {
        return shown(denoised, codec::quickPreview);
    }

    private static List<Picture> shown(
            Tensor denoised, BiFunction<Tensor, Report, Tensor> decoder) {
        List<Picture> pictures = new ArrayList<>();
        var notes = new Notes(new Trace(SampleMonitor.NONE));
        try (var all = TensorScope.open()) {
            for (Tensor one : rows(denoised)) {
                try (var scope = TensorScope.open()) {
                    pictures.add(Picture.of(scaled(decoder.apply(one, notes)).select(0, 0)));
                }
            }
        } catch (ModelException | InsufficientMemoryException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        } catch (UncheckedIOException e) { // of weights that are loaded again
            throw PipelineException.of(e);
        }
        return pictures;
    }

    private static List<Tensor> rows(Tensor latents) {
        return latents.split(0, LongStream.range(0, latents.size(0)).map(i -> 1).toArray());
    }

    /**
     * @param latents {@code [1,…]}
     * @return float32 on the CPU from 0 to 1, {@code [1,3,H,W]}
     */
    private Tensor image(Tensor latents, Size size, Notes notes) {
        Tensor image = codec.decode(latents, notes);
        var decoded = new Size((int) image.size(2), (int) image.size(3));
        if (!size.equals(decoded)) {
            Size cover = size.coveredBy(decoded);
            image =
                    Ops.resizeBilinear(image, cover.height(), cover.width())
                            .narrow(2, (cover.height() - size.height()) / 2, size.height())
                            .narrow(3, (cover.width() - size.width()) / 2, size.width());
        }
        return scaled(image);
    }

    /** From −1 to 1 to the CPU and from 0 to 1. */
    private static Tensor scaled(Tensor image) {
        Tensor scaled = image.dividedBy(2).plus(0.5).clamp(0, 1);
        return scaled.device().type() == Device.Type.META ? scaled : scaled.to(Device.CPU);
    }
}
