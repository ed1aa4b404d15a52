package dev.darkroom.bench;

/**
 * What one call took, in nanoseconds.
 *
 * @param cpu of the calling thread, which other processes disturb less
 */
record Time(double wall, double cpu) {}
