package dev.darkroom.models.family.pixart;

import dev.darkroom.models.family.Size;

import java.util.Optional;

/**
 * The picture sizes that PixArt was trained on (Chen et al. 2023, appendix): a few dozen aspect
 * ratios with about the same number of pixels. A request is moved to the size of the nearest ratio,
 * and the picture scaled and cropped back to what was asked for.
 */
final class ResolutionBins {
    /** Heights and widths for a base of 1024 pixels; smaller bases scale them down. */
    private static final int[][] BASE_1024 = {
        {512, 2048}, {512, 1856}, {576, 1792}, {576, 1728}, {576, 1664}, {640, 1600},
        {640, 1536}, {704, 1472}, {704, 1408}, {704, 1344}, {768, 1344}, {768, 1280},
        {832, 1216}, {832, 1152}, {896, 1152}, {896, 1088}, {960, 1088}, {960, 1024},
        {1024, 1024}, {1024, 960}, {1088, 960}, {1088, 896}, {1152, 896}, {1152, 832},
        {1216, 832}, {1280, 768}, {1344, 768}, {1408, 704}, {1472, 704}, {1536, 640},
        {1600, 640}, {1728, 576}, {2048, 512}
    };

    /** For a base of 2048 pixels, which has ratios of its own. */
    private static final int[][] BASE_2048 = {
        {1024, 4096}, {1024, 3968}, {1024, 3840}, {1024, 3712}, {1152, 3584}, {1152, 3456},
        {1152, 3328}, {1280, 3200}, {1280, 3072}, {1408, 2944}, {1408, 2816}, {1408, 2688},
        {1536, 2688}, {1536, 2560}, {1664, 2432}, {1664, 2304}, {1792, 2304}, {1792, 2176},
        {1920, 2176}, {1920, 2048}, {2048, 2048}, {2048, 1920}, {2176, 1920}, {2176, 1792},
        {2304, 1792}, {2304, 1664}, {2432, 1664}, {2560, 1536}, {2688, 1536}, {2816, 1408},
        {2944, 1408}, {3072, 1280}, {3200, 1280}, {3328, 1152}, {3456, 1152}, {3584, 1152},
        {3712, 1024}, {3840, 1024}, {3968, 1024}, {4096, 1024}
    };

    private final int[][] sizes;
    private final int divisor;

    private ResolutionBins(int[][] sizes, int divisor) {
        this.sizes = sizes;
        this.divisor = divisor;
    }

    /**
     * The sizes for a network.
     *
     * @param sampleSize height and width of the latents that the network was trained on
     * @return empty if no sizes are known for it
     */
    static Optional<ResolutionBins> forSampleSize(long sampleSize) {
        return switch ((int) sampleSize) {
            case 32 -> Optional.of(new ResolutionBins(BASE_1024, 4));
            case 64 -> Optional.of(new ResolutionBins(BASE_1024, 2));
            case 128 -> Optional.of(new ResolutionBins(BASE_1024, 1));
            case 256 -> Optional.of(new ResolutionBins(BASE_2048, 1));
            default -> Optional.empty();
        };
    }

    /** The size whose ratio, to two decimals, is nearest; the flatter one of two equally near. */
    Size nearest(int height, int width) {
        double ratio = (double) height / width;
        int[] best = sizes[0];
        double distance = Double.POSITIVE_INFINITY;
        for (int[] size : sizes) {
            double candidate = Math.abs(Math.rint(100.0 * size[0] / size[1]) / 100 - ratio);
            if (candidate < distance) {
                distance = candidate;
                best = size;
            }
        }
        return new Size(best[0] / divisor, best[1] / divisor);
    }
}
