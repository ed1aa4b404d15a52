package dev.darkroom.models.family;

/**
 * What a network's config follows from when it is trained on some data.
 *
 * @param latentChannels channels of the latents
 * @param latentSize rows and columns of the latents
 * @param conditionSize the width of a text's states, or the number of classes
 */
public record DataSizes(int latentChannels, int latentSize, int conditionSize) {}
