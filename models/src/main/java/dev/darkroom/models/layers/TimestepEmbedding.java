package dev.darkroom.models.layers;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

/**
 * The embedding of numbers such as timesteps as conditioning vectors: sinusoids and a small network
 * over them. A student that was distilled for a range of guidance scales is conditioned on the
 * distilled guidance too (Luo et al. 2023, arXiv:2310.04378, section 4.1): its sinusoids,
 * projected, are added to those of the number.
 */
public final class TimestepEmbedding extends Module {
    /** The sinusoids of a number, in every published transformer. */
    private static final int CHANNELS = 256;

    private final int channels;
    private final double frequencyShift;
    private final boolean sinesFirst;
    private final @Nullable Integer guidanceChannels;
    private final Linear linear1;
    private final @Nullable Linear condProj;
    private final Linear linear2;

    /** Declares an embedding without a distilled guidance. */
    public TimestepEmbedding(Weights w, long width, double frequencyShift) {
        this(w, width, frequencyShift, null);
    }

    /**
     * Declares an embedding that is conditioned on a distilled guidance, if there are sinusoids for
     * it. Their projection begins with zero, so that a student begins as a teacher without it.
     *
     * @param width of the vectors
     * @param frequencyShift as {@link Sinusoids#embed} takes it
     * @param guidanceChannels sinusoids of the distilled guidance, diffusers' {@code
     *     time_cond_proj_dim}; null for none
     */
    public TimestepEmbedding(
            Weights w, long width, double frequencyShift, @Nullable Integer guidanceChannels) {
        this(w, CHANNELS, width, frequencyShift, guidanceChannels);
    }

    /**
     * Declares an embedding with a number of sinusoids of its own, as U-Nets have it.
     *
     * @param channels sinusoids of a number; even
     */
    public TimestepEmbedding(
            Weights w,
            int channels,
            long width,
            double frequencyShift,
            @Nullable Integer guidanceChannels) {
        this(w, channels, width, frequencyShift, false, guidanceChannels);
    }

    /** Declares an embedding with its sinusoids in the order of DDPM, the sines first. */
    public static TimestepEmbedding withSinesFirst(
            Weights w, int channels, long width, double frequencyShift) {
        return new TimestepEmbedding(w, channels, width, frequencyShift, true, null);
    }

    private TimestepEmbedding(
            Weights w,
            int channels,
            long width,
            double frequencyShift,
            boolean sinesFirst,
            @Nullable Integer guidanceChannels) {
        super(w);
        this.channels = channels;
        this.sinesFirst = sinesFirst;
        this.frequencyShift = frequencyShift;
        this.guidanceChannels = guidanceChannels;
        linear1 = Linear.asInPyTorch(w.sub("linear_1"), channels, width, true);
        condProj =
                guidanceChannels == null
                        ? null
                        : new Linear(
                                w.sub("cond_proj"), guidanceChannels, channels, false, Init.ZEROS);
        linear2 = Linear.asInPyTorch(w.sub("linear_2"), width, width, true);
    }

    /** Embeds each number as {@link #forward(Tensor, Tensor)} does, without a guidance. */
    public Tensor forward(Tensor values) {
        return forward(values, null);
    }

    /**
     * Embeds each number.
     *
     * @param values {@code [N]}, or {@code [1]} for all, of any type, on any device
     * @param guidance the guidance scale less 1, as the values; null unless the embedding has
     *     sinusoids for it
     * @return {@code [N,width]}, of this network's type and on its device
     * @throws IllegalArgumentException if a guidance is missing, or given to a network that is not
     *     conditioned on it
     */
    public Tensor forward(Tensor values, @Nullable Tensor guidance) {
        try (var scope = TensorScope.open()) {
            Tensor waves = here(waves(values));
            if (condProj != null && guidanceChannels != null && guidance != null) {
                Tensor condition = here(Sinusoids.guidance(guidance, guidanceChannels));
                waves = waves.plus(condProj.forward(condition)); // [N,channels]
            } else if (condProj != null) {
                throw new IllegalArgumentException(
                        "this network is conditioned on the guidance (time_cond_proj_dim "
                                + guidanceChannels
                                + "); pass its weight, the guidance scale less 1");
            } else if (guidance != null) {
                throw new IllegalArgumentException(
                        "this network is not conditioned on the guidance: its config has no"
                                + " time_cond_proj_dim");
            }
            return scope.keep(linear2.forward(linear1.forward(waves).silu()));
        }
    }

    private Tensor waves(Tensor values) {
        Tensor waves = Sinusoids.embed(values, channels, frequencyShift); // cosines, then sines
        return sinesFirst ? Ops.cat(1, waves.chunk(2, 1).reversed()) : waves;
    }

    private Tensor here(Tensor waves) {
        return waves.to(dtype()).to(device());
    }
}
