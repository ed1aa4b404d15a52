/**
 * Optimizers and what goes with them: learning rates, clipping, averages, float32 masters of
 * bfloat16 weights.
 *
 * <pre>{@code
 * network.train();
 * try (var optimizer = new AdamW(List.of(ParameterGroup.of(network, 1e-4, 0.01)), AdamW.Options.DEFAULTS)) {
 *     for (long step = 0; step < steps; step++) {
 *         try (var scope = TensorScope.open(); var mode = Mode.GRAD.enter()) {
 *             optimizer.zeroGrad();
 *             loss(network, batch(step)).backward();
 *             GradientNorm.clip(network.trainable().values(), 1.0);
 *             optimizer.step(schedule.factor(step));
 *         }
 *     }
 * }
 * }</pre>
 */
@NullMarked
package dev.darkroom.runtime.optim;

import org.jspecify.annotations.NullMarked;
