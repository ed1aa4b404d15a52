package dev.darkroom.cli;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.training.data.PictureFile;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;

/** A picture that others are made from. */
final class EditOptions {
    private static final String ALPHA = "alpha";

    @Option(
            names = "--init",
            paramLabel = "FILE",
            description =
                    "Start from this picture (PNG, JPEG, WebP, BMP, GIF) and not from noise alone."
                        + " Of another size than --width and --height, it is scaled to cover that"
                        + " and cut; without them, the result has its size, or of an upscaler four"
                        + " times that.")
    private @Nullable Path init;

    @Option(
            names = "--strength",
            paramLabel = "S",
            description =
                    "The share of the steps that is taken, above 0 to 1: how much of the picture is"
                            + " made anew. Default: the model's, such as 0.8 for Stable Diffusion"
                            + " 1.x and 0.3 for XL; with a mask 1, or nearly.")
    private @Nullable Double strength;

    @Option(
            names = "--mask",
            paramLabel = "FILE",
            description =
                    "Make only what is white in this picture anew; 'alpha' for what is transparent"
                            + " in the initial one, a PNG.")
    private @Nullable Path mask;

    @Option(
            names = "--noise-level",
            paramLabel = "N",
            description =
                    "Of an upscaler, how much noise it puts on the picture before it looks at it:"
                            + " the more, the freer it is to invent. 0 to 350, default 20.")
    private @Nullable Integer noiseLevel;

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
            if (mask != null || strength != null || noiseLevel != null) {
                throw new IllegalArgumentException(
                        "--mask, --strength and --noise-level are about a picture; name it with"
                                + " --init");
            }
            return null;
        }
        Picture picture = PictureFile.read(init);
        Image painted = mask == null ? null : mask(init, mask).mask();
        return new Edit(picture.image(), painted, strength, noiseLevel);
    }

    private static Picture mask(Path init, Path mask) throws IOException {
        return mask.toString().equals(ALPHA)
                ? PictureFile.transparency(init)
                : PictureFile.read(mask);
    }
}
