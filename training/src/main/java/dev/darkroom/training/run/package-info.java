/**
 * Training runs that survive anything: the loop, its checkpoints and its log. What is trained is a
 * {@link dev.darkroom.training.run.Task}.
 */
@NullMarked
package dev.darkroom.training.run;

import org.jspecify.annotations.NullMarked;
