package dev.darkroom.cli;

import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

/** The sizes that a network such as Stable Diffusion XL's is conditioned on. */
final class SizeOptions {
    @Option(
            names = "--original-size",
            paramLabel = "WxH",
            converter = Names.PictureSizes.class,
            description =
                    "As if the picture had been this large before it was scaled: a small original"
                            + " looks blurred. For Stable Diffusion XL; without it, the target"
                            + " size.")
    private @Nullable Size original;

    @Option(
            names = "--crop",
            paramLabel = "X,Y",
            converter = Names.Corners.class,
            description =
                    "As if so many columns on the left and rows at the top had been cut off."
                            + " Default: 0,0")
    private Names.@Nullable Corner crop;

    @Option(
            names = "--target-size",
            paramLabel = "WxH",
            converter = Names.PictureSizes.class,
            description = "As if the picture were this large; without it, --width and --height.")
    private @Nullable Size target;

    /**
     * Returns the condition.
     *
     * @param width of the picture; null for the checkpoint's own
     * @param height of the picture; null for the checkpoint's own
     * @return null if nothing is asked for
     * @throws IllegalArgumentException if there is no target size
     */
    @Nullable SizeCondition condition(@Nullable Integer width, @Nullable Integer height) {
        if (original == null && crop == null && target == null) {
            return null;
        }
        Size made = target;
        if (made == null && width != null && height != null) {
            made = new Size(height, width);
        }
        if (made == null) {
            throw new IllegalArgumentException(
                    "--original-size and --crop go with --target-size, or with --width and"
                            + " --height");
        }
        return new SizeCondition(
                original == null ? made : original,
                crop == null ? 0 : crop.top(),
                crop == null ? 0 : crop.left(),
                made);
    }
}
