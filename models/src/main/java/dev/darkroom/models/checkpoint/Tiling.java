package dev.darkroom.models.checkpoint;

/** When large latents are decoded in tiles, which takes less memory and a little more time. */
public enum Tiling {
    /** Where the whole would not fit in memory. */
    AUTO,
    /** Wherever the picture is larger than a tile. */
    ON,
    /** Never. */
    OFF
}
