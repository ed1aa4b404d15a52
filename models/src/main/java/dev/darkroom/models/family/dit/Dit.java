package dev.darkroom.models.family.dit;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.models.family.ClassLabels;
import dev.darkroom.models.family.DataSizes;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.models.family.Trainable;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.layers.TransformerOptions;
import dev.darkroom.models.vae.VaeCodec;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** DiT (Peebles and Xie 2023, arXiv:2212.09748): pictures of a class. */
public final class Dit implements Family {
    private static final TaskDefaults DEFAULTS = TaskDefaults.of(50, 4.0);

    private static final String PIPELINE = "DiTPipeline";
    private static final String CLASSES = "num_embeds_ada_norm";

    private static final NetworkPart<DitConfig, DitTransformer> TRANSFORMER =
            new NetworkPart<>(
                    "transformer",
                    Library.DIFFUSERS,
                    List.of("DiTTransformer2DModel", "Transformer2DModel"),
                    DitConfig::of,
                    DitTransformer::new);

    /** The family. */
    public Dit() {}

    @Override
    public Set<String> pipelines() {
        return Set.of(PIPELINE);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        TRANSFORMER.require(checkpoint);
        VaeCodec.require(checkpoint);
        var samplers = SamplerChoice.read(checkpoint);
        var network = TRANSFORMER.read(checkpoint);
        DitConfig config = network.config();
        DitTransformer transformer = network.load(checkpoint);
        var codec = VaeCodec.load(checkpoint, config.inChannels(), config.outChannels());
        return new Model(
                transformer,
                new DitConditioner(
                        ClassLabels.read(checkpoint, "transformer", config.numEmbedsAdaNorm()),
                        config.nullClass(),
                        checkpoint.options().device()),
                codec,
                samplers,
                square(config.sampleSize() * codec.pixelsPerLatent()),
                DEFAULTS);
    }

    @Override
    public Optional<Trainable<?>> trainable() {
        return Optional.of(
                new Trainable<>(
                        TRANSFORMER,
                        PIPELINE,
                        new TrainingInput.Classes(CLASSES, DitConditioner::condition),
                        Dit::complete,
                        config -> {}, // all are trained
                        TransformerOptions.GUIDANCE_CHANNELS));
    }

    private static void complete(ObjectNode json, DataSizes data) {
        ConfigWriter.fill(json, "in_channels", data.latentChannels());
        ConfigWriter.fill(json, "out_channels", data.latentChannels());
        ConfigWriter.fill(json, "sample_size", data.latentSize());
        ConfigWriter.fill(json, CLASSES, data.conditionSize());
    }

    /** One size only. */
    private static Sizes square(int size) {
        var picture = new Size(size, size);
        return Sizes.rounding(
                any -> picture,
                requested -> {
                    requireSize("width", requested.width(), size);
                    requireSize("height", requested.height(), size);
                    return new Sizes.Chosen(picture, picture);
                });
    }

    private static void requireSize(String what, @Nullable Integer asked, int size) {
        if (asked != null && asked != size) {
            throw new IllegalArgumentException(
                    "this checkpoint makes pictures of "
                            + size
                            + "×"
                            + size
                            + "; the "
                            + what
                            + " can't be "
                            + asked);
        }
    }
}
