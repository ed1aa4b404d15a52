package dev.darkroom.models.layers;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.nn.Activation;

import org.jspecify.annotations.Nullable;

/**
 * The values, by name, that the configs of diffusers' patch transformers share; each is what
 * diffusers calls it. A family's builder adds its own.
 *
 * @param <B> the family's builder
 */
public abstract class TransformerBuilder<B extends TransformerBuilder<B>> {
    protected int numAttentionHeads = 16;
    protected int attentionHeadDim = 72;
    protected int inChannels = 4;
    protected @Nullable Integer outChannels;
    protected int numLayers = 28;
    protected boolean attentionBias = true;
    protected int sampleSize;
    protected int patchSize = 2;
    protected Activation activation = Activation.GELU_TANH;
    protected double normEps;
    protected @Nullable Integer timeCondProjDim;

    /** Starts with the defaults of diffusers' classes, which differ in these. */
    protected TransformerBuilder(@Nullable Integer outChannels, int sampleSize, double normEps) {
        this.outChannels = outChannels;
        this.sampleSize = sampleSize;
        this.normEps = normEps;
    }

    /** Returns this builder. */
    protected abstract B self();

    public final B numAttentionHeads(int numAttentionHeads) {
        this.numAttentionHeads = numAttentionHeads;
        return self();
    }

    public final B attentionHeadDim(int attentionHeadDim) {
        this.attentionHeadDim = attentionHeadDim;
        return self();
    }

    public final B inChannels(int inChannels) {
        this.inChannels = inChannels;
        return self();
    }

    /** Sets the channels of the output; null stands for as many as the input's. */
    public final B outChannels(@Nullable Integer outChannels) {
        this.outChannels = outChannels;
        return self();
    }

    public final B numLayers(int numLayers) {
        this.numLayers = numLayers;
        return self();
    }

    public final B attentionBias(boolean attentionBias) {
        this.attentionBias = attentionBias;
        return self();
    }

    public final B sampleSize(int sampleSize) {
        this.sampleSize = sampleSize;
        return self();
    }

    public final B patchSize(int patchSize) {
        this.patchSize = patchSize;
        return self();
    }

    public final B activation(Activation activation) {
        this.activation = activation;
        return self();
    }

    public final B normEps(double normEps) {
        this.normEps = normEps;
        return self();
    }

    /** Sets the sinusoids of the distilled guidance; null for a network that has none. */
    public final B timeCondProjDim(@Nullable Integer timeCondProjDim) {
        this.timeCondProjDim = timeCondProjDim;
        return self();
    }

    /** Takes the shared values that a config has; those that it lacks stay. */
    public final B read(ConfigReader json) {
        numAttentionHeads = json.integer("num_attention_heads", numAttentionHeads);
        attentionHeadDim = json.integer("attention_head_dim", attentionHeadDim);
        inChannels = json.integer("in_channels", inChannels);
        outChannels = json.has("out_channels") ? json.integerOrNull("out_channels") : outChannels;
        numLayers = json.integer("num_layers", numLayers);
        attentionBias = json.flag("attention_bias", attentionBias);
        sampleSize = json.integer("sample_size", sampleSize);
        patchSize = json.integer("patch_size", patchSize);
        json.only("activation_fn", "gelu-approximate", "gelu");
        activation = Activation.parse(json.text("activation_fn", "gelu-approximate"));
        normEps = json.number("norm_eps", normEps);
        timeCondProjDim = json.integerOrNull(TransformerOptions.GUIDANCE_CHANNELS);
        return self();
    }

    /** Returns the channels of the output. */
    protected final int outputs() {
        return outChannels == null ? inChannels : outChannels;
    }
}
