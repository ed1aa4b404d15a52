/**
 * Training data: folders of captioned pictures, in an order that a seed gives, decoded ahead of the
 * steps or encoded once.
 */
@NullMarked
package dev.darkroom.models.training.data;

import org.jspecify.annotations.NullMarked;
