package dev.darkroom.training.stage;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.training.data.TextCache.Texts;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.Map;

/**
 * PixArt's captions.
 *
 * @param config of the network
 * @param json the same as it is written
 */
record CaptionConditioning(PixArtConfig config, ObjectNode json, Captions captions)
        implements Conditioning {
    static final String CLASS_NAME = "PixArtTransformer2DModel";

    CaptionConditioning {
        if (config.useAdditionalConditions()) {
            throw new IllegalArgumentException(
                    "use_additional_conditions: networks that are conditioned on the size of the"
                            + " picture are not trained yet; set it to false");
        }
    }

    /**
     * @param captions taken over
     */
    CaptionConditioning(ObjectNode json, Captions captions) {
        this(ConfigReader.of(json.toString(), PixArtConfig::of), json, captions);
    }

    /**
     * The same captions for networks that are told the guidance.
     *
     * @param guidanceChannels its sinusoids; null for networks as they are
     */
    CaptionConditioning told(@Nullable Integer guidanceChannels) {
        if (guidanceChannels == null) {
            return this;
        }
        ObjectNode told = json.deepCopy().put("time_cond_proj_dim", guidanceChannels);
        var unknown = Warnings.collected(); // those of the config without guidance
        return new CaptionConditioning(
                ConfigReader.of(CLASS_NAME, told.toString(), unknown, PixArtConfig::of),
                told,
                captions);
    }

    @Override
    public DiffusionNetwork network(Weights w) {
        return new PixArtTransformer(w, config);
    }

    @Override
    public Condition batch(int[] examples, boolean[] dropped) {
        Texts texts = captions.read(examples, dropped);
        return Condition.of(PixArtTransformer.TEXT, texts.states()) // [N,L,E]
                .with(PixArtTransformer.TEXT_MASK, texts.mask());
    }

    @Override
    public Map<String, Module> trained() {
        return captions.trained();
    }

    @Override
    public String pipelineClass() {
        return captions.pipelineClass();
    }

    @Override
    public void write(HubFolder hub, DType dtype) throws IOException {
        captions.write(hub, dtype);
    }

    @Override
    public void close() {
        captions.close();
    }
}
