package dev.darkroom.models.unet;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Module;

import org.jspecify.annotations.Nullable;

import java.util.function.UnaryOperator;

/**
 * What a {@link Unet} is conditioned on beside the timestep.
 *
 * @param text the text encoder's states {@code [N,L,E]}
 * @param pooled the pooled text {@code [N,P]}, only for a network that is {@linkplain
 *     UnetConfig#isSized sized}
 * @param sizes numbers of the picture's size {@code [N,K]}, only for such a network: in Stable
 *     Diffusion XL original height and width, top and left of the crop, target height and width
 * @param labels classes, int64 {@code [N]}, only for a network with classes
 * @param guidance the guidance scale less 1 {@code [N]}, only for a network that is conditioned on
 *     it
 */
public record UnetCondition(
        Tensor text,
        @Nullable Tensor pooled,
        @Nullable Tensor sizes,
        @Nullable Tensor labels,
        @Nullable Tensor guidance) {
    /** Returns the condition on a text alone. */
    public static UnetCondition of(Tensor text) {
        return new UnetCondition(text, null, null, null, null);
    }

    /** Returns what a network takes of a condition, in its type and on its device. */
    static UnetCondition of(Condition condition, UnetConfig config, Module network) {
        UnaryOperator<Tensor> here = values -> values.to(network.dtype()).to(network.device());
        return new UnetCondition(
                here.apply(condition.get(Unet.TEXT)),
                config.isSized() ? here.apply(condition.get(Unet.POOLED)) : null,
                config.isSized() ? condition.get(Unet.SIZES) : null,
                config.numClassEmbeds() == null
                        ? null
                        : condition.get(Unet.LABELS).to(network.device()),
                config.timeCondProjDim() == null
                        ? null
                        : condition.get(Condition.DISTILLED_GUIDANCE));
    }
}
