package dev.darkroom.tests.toy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.family.Conditioner;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.LatentCodec;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.Sizes;
import dev.darkroom.models.family.TaskDefaults;
import dev.darkroom.models.family.Trainable;
import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A family that the library knows nothing of: a row of numbers for a picture, conditioned on how
 * bright it shall be.
 */
final class Toy implements Family {
    static final String PIPELINE = "ToyPipeline";

    static final int SIDE = 8;
    private static final int CHANNELS = 2;
    private static final int LENGTH = SIDE * SIDE / CHANNELS;
    private static final int WIDTH = 32;
    private static final String BRIGHTNESS = "brightness";

    private static final NetworkPart<Config, Net> NETWORK =
            new NetworkPart<>("toy", Library.DIFFUSERS, List.of("ToyModel"), Config::of, Net::new);

    @Override
    public Set<String> pipelines() {
        return Set.of(PIPELINE);
    }

    @Override
    public Model load(Checkpoint checkpoint) throws IOException {
        NETWORK.require(checkpoint);
        return model(NETWORK.read(checkpoint).load(checkpoint), SamplerChoice.read(checkpoint));
    }

    /** Such a file has the weights of one toy, below its part's name. */
    @Override
    public boolean reads(SafetensorsHeader file) {
        return file.names().contains(NETWORK.name() + ".input.weight");
    }

    @Override
    public Model load(SingleFile file) throws IOException {
        var weight = file.header().tensors().get(NETWORK.name() + ".output.weight");
        int outputs = Math.toIntExact(weight.shape().size(0) / CHANNELS / LENGTH);
        Net network =
                file.network(
                        file.options().dtype(),
                        source -> source.renamed(key -> key.substring(NETWORK.name().length() + 1)),
                        w -> new Net(w, new Config(outputs, 1)));
        ObjectNode scheduler =
                JsonNodeFactory.instance
                        .objectNode()
                        .put("_class_name", "DDIMScheduler")
                        .put("prediction_type", "sample");
        return model(network, SamplerChoice.read(file.path(), scheduler, file.warnings()));
    }

    @Override
    public Optional<Trainable<?>> trainable() {
        var levels =
                new TrainingInput.Classes(
                        "levels",
                        numbers ->
                                Condition.of(BRIGHTNESS, numbers.to(DType.FLOAT32).unsqueeze(1)));
        return Optional.of(
                new Trainable<>(
                        NETWORK,
                        PIPELINE,
                        levels,
                        (json, data) -> ConfigWriter.fill(json, "levels", data.conditionSize()),
                        config -> {},
                        null));
    }

    /**
     * What a toy's config says.
     *
     * @param outputs 1, or 2 for a variance too
     * @param levels how many grades of brightness it was trained on
     */
    record Config(int outputs, int levels) {
        static Config of(ConfigReader json) {
            return new Config(json.integer("outputs", 1), json.integer("levels", 1));
        }
    }

    /** Two layers over all numbers of a sample, conditioned on the time and the brightness. */
    static final class Net extends DiffusionNetwork {
        private final int outputs;
        private final Linear input;
        private final Linear embedding;
        private final Linear output;

        Net(Weights w, Config config) {
            super(w);
            outputs = config.outputs();
            input = Linear.asInPyTorch(w.sub("input"), CHANNELS * LENGTH, WIDTH, true);
            embedding = Linear.asInPyTorch(w.sub("embedding"), 2, WIDTH, true);
            output =
                    Linear.asInPyTorch(
                            w.sub("output"), WIDTH, (long) outputs * CHANNELS * LENGTH, true);
        }

        @Override
        public int latentChannels() {
            return CHANNELS;
        }

        @Override
        public long tokens(Shape latents) {
            return latents.size(1);
        }

        @Override
        public long activations(long rows, Shape latents) {
            return rows * (WIDTH + 2L * latents.elements());
        }

        @Override
        public Network bind(Condition condition) {
            Tensor brightness = condition.get(BRIGHTNESS); // [N,1]
            return (x, timesteps) -> {
                try (var scope = TensorScope.open()) {
                    long n = x.size(0);
                    Tensor time = timesteps.to(x.dtype()).dividedBy(1000).reshape(-1, 1);
                    Tensor both =
                            Ops.cat(
                                    1,
                                    time.size(0) == n ? time : time.repeatInterleave(n, 0),
                                    brightness.to(x.dtype()));
                    Tensor h = input.forward(x.flatten(1, -1)).plus(embedding.forward(both)).silu();
                    long[] shape = x.shape().toArray();
                    shape[1] *= outputs;
                    return scope.keep(output.forward(h).reshape(shape));
                }
            };
        }
    }

    static Condition brightness(double... values) {
        return Condition.of(BRIGHTNESS, Tensor.copyOf(values, values.length, 1).to(DType.FLOAT32));
    }

    /** A prompt is a number. */
    private static final class Numbers implements Conditioner {
        @Override
        public void require(Inputs inputs) {
            if (inputs.prompt() == null || !inputs.prompt().matches("\\d+(\\.\\d+)?")) {
                throw new IllegalArgumentException("a toy's prompt is how bright it is: a number");
            }
        }

        @Override
        public Condition encode(Inputs inputs, Size size, Report report) {
            return brightness(Double.parseDouble(String.valueOf(inputs.prompt())));
        }

        @Override
        public Condition without(Inputs inputs, Size size, Report report) {
            return brightness(0);
        }
    }

    /** Latents {@code [C,T]} are the pixels of a grey picture, row by row. */
    private static final class Rows implements LatentCodec {
        @Override
        public Shape latents(Size size) {
            return Shape.of(CHANNELS, LENGTH);
        }

        @Override
        public Tensor decode(Tensor latents, Report report) {
            Tensor grey = latents.to(DType.FLOAT32).reshape(1, 1, SIDE, SIDE);
            return Ops.cat(1, grey, grey, grey); // [1,3,H,W]
        }

        @Override
        public long decodingBytes(Size size) {
            return 12 * size.pixels();
        }

        @Override
        public DType dtype() {
            return DType.FLOAT32;
        }
    }

    static Model model(Net network, SamplerChoice samplers) {
        var size = new Size(SIDE, SIDE);
        return new Model(
                network,
                new Numbers(),
                new Rows(),
                samplers,
                requested -> new Sizes.Chosen(size, size),
                TaskDefaults.of(6, 3.0));
    }
}
