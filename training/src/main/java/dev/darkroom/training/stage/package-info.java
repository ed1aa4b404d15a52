/**
 * The stages of making a model: tokenizer, autoencoder, diffusion network, distilled student,
 * adapters. Each is read from a JSON config and runs in a folder of its own, in which it leaves a
 * part of a checkpoint or a whole one, in the layout of public hubs.
 */
@NullMarked
package dev.darkroom.training.stage;

import org.jspecify.annotations.NullMarked;
