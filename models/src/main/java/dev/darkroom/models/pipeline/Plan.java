package dev.darkroom.models.pipeline;

/**
 * A request with the checkpoint's settings filled in.
 *
 * @param guidanceScale at most 1 for no guidance
 * @param picture size that was asked for, in pixels
 * @param sampled size that is sampled, in pixels; then scaled and cropped to {@code picture}
 */
record Plan(
        SampleRequest request,
        int steps,
        double guidanceScale,
        ResolutionBins.Size picture,
        ResolutionBins.Size sampled) {

    boolean isGuided() {
        return guidanceScale > 1;
    }

    /** Rows of a batch for the network. */
    long evaluated() {
        return (isGuided() ? 2L : 1L) * request.batch();
    }
}
