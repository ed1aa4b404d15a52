package dev.darkroom.models.layers;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** Numbers such as timesteps as conditioning vectors: sinusoids and a small network over them. */
public final class TimestepEmbedding extends Module {
    /** Sinusoids per number, in every published model. */
    private static final int CHANNELS = 256;

    private static final Init INIT = Init.normal(0.02);

    private final double frequencyShift;
    private final Linear linear1;
    private final Linear linear2;

    /**
     * @param width of the vectors
     * @param frequencyShift as {@link Sinusoids#embed} takes it
     */
    public TimestepEmbedding(Weights w, long width, double frequencyShift) {
        super(w);
        this.frequencyShift = frequencyShift;
        linear1 = new Linear(w.sub("linear_1"), CHANNELS, width, true, INIT);
        linear2 = new Linear(w.sub("linear_2"), width, width, true, INIT);
    }

    /**
     * Embeds each number.
     *
     * @param values {@code [N]}, of any type, on any device
     * @return {@code [N,width]}, of this network's type and on its device
     */
    public Tensor forward(Tensor values) {
        Tensor waves = Sinusoids.embed(values, CHANNELS, frequencyShift);
        waves = waves.to(dtype()).to(device());
        return linear2.forward(linear1.forward(waves).silu());
    }
}
