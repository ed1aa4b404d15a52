package dev.darkroom.cli;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.training.data.PictureFile;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;

/** A picture that others are made from. */
final class EditOptions {
    private static final String ALPHA = "alpha";
    private static final double STRENGTH = 0.8;

    @Option(
            names = "--init",
            paramLabel = "FILE",
            description =
                    "Start from this picture (PNG, JPEG, WebP, BMP, GIF) and not from noise alone."
                        + " Of another size than --width and --height, it is scaled to cover that"
                        + " and cut; without them, the result has its size.")
    private @Nullable Path init;

    @Option(
            names = "--strength",
            paramLabel = "S",
            description =
                    "The share of the steps that is taken, above 0 to 1: how much of the picture is"
                            + " made anew. Default: 0.8, with a mask 1.")
    private @Nullable Double strength;

    @Option(
            names = "--mask",
            paramLabel = "FILE",
            description =
                    "Make only what is white in this picture anew; 'alpha' for what is transparent"
                            + " in the initial one, a PNG.")
    private @Nullable Path mask;

    /**
     * Reads the files.
     *
     * @return null without an initial picture
     * @throws IllegalArgumentException if the options do not go together, or the mask has another
     *     size than the picture
     * @throws IOException if a file can't be read
     */
    @Nullable Edit edit() throws IOException {
        if (init == null) {
            if (mask != null || strength != null) {
                throw new IllegalArgumentException(
                        "--mask and --strength are about a picture; name it with --init");
            }
            return null;
        }
        double share = strength != null ? strength : mask == null ? STRENGTH : 1;
        Picture picture = PictureFile.read(init);
        return new Edit(picture.image(), mask == null ? null : mask(init, mask).mask(), share);
    }

    private static Picture mask(Path init, Path mask) throws IOException {
        return mask.toString().equals(ALPHA)
                ? PictureFile.transparency(init)
                : PictureFile.read(mask);
    }
}
