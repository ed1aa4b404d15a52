package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.runtime.DType;

/**
 * A way of running a checkpoint, and what it takes.
 *
 * @param dtype that the networks compute in
 * @param tiling whether large pictures are decoded in tiles, on or off
 * @param peakBytes the most memory that the whole process is estimated to hold
 * @param fits whether that is here now
 */
public record Choice(DType dtype, Tiling tiling, long peakBytes, boolean fits) {}
