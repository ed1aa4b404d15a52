package dev.darkroom.models.vae;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The tiny autoencoder of Bohan (2023, github.com/madebyollin/taesd), diffusers' {@code
 * AutoencoderTiny}, which was distilled from the {@link AutoencoderKl} of a diffusion model: far
 * less work, and a little less detail. Its latents have no distribution. Images are {@code
 * [N,C,H,W]} from −1 to 1.
 */
public final class AutoencoderTiny extends Module {
    /** Latents are squeezed smoothly to ±3 before they are decoded. */
    private static final int MOST = 3;

    private final AutoencoderTinyConfig config;
    private final Layers encoder;
    private final Layers decoder;

    /** Declares the network. */
    public AutoencoderTiny(Weights weights, AutoencoderTinyConfig config) {
        super(weights);
        this.config = config;
        Weights w = weights.keptWhole();
        encoder = encoder(w.sub("encoder"), config);
        decoder = decoder(w.sub("decoder"), config);
    }

    /** Returns the config that the network was made with. */
    public AutoencoderTinyConfig config() {
        return config;
    }

    /**
     * Encodes images.
     *
     * @param images {@code [N,C,H,W]} from −1 to 1, H and W multiples of what one of the latents
     *     stands for
     * @return latents as the diffusion model has them {@code [N,C',H/f,W/f]}
     * @throws IllegalArgumentException if the shape is another
     */
    public Tensor encode(Tensor images) {
        requireImages("encode", images, config.inChannels(), config.downsampling());
        try (var scope = TensorScope.open()) {
            Tensor latents = encoder.forward(images.plus(1).dividedBy(2));
            return scope.keep(latents.minus(config.shiftFactor()).times(config.scalingFactor()));
        }
    }

    /**
     * Decodes latents.
     *
     * @param latents as the diffusion model has them {@code [N,C',h,w]}
     * @return images {@code [N,C,h·f,w·f]}, about from −1 to 1
     * @throws IllegalArgumentException if the shape is another
     */
    public Tensor decode(Tensor latents) {
        requireImages("decode", latents, config.latentChannels(), 1);
        try (var scope = TensorScope.open()) {
            Tensor z = latents.dividedBy(config.scalingFactor()).plus(config.shiftFactor());
            Tensor squeezed = z.dividedBy(MOST).tanh().times(MOST);
            return scope.keep(decoder.forward(squeezed).times(2).minus(1));
        }
    }

    private static void requireImages(String method, Tensor x, int channels, int multiple) {
        if (x.rank() != 4
                || x.size(1) != channels
                || x.elements() == 0
                || x.size(2) % multiple != 0
                || x.size(3) % multiple != 0) {
            throw new IllegalArgumentException(
                    method
                            + ": shape must be [N, "
                            + channels
                            + ", H, W] with H and W multiples of "
                            + multiple
                            + ", not "
                            + x.shape());
        }
    }

    /**
     * A convolution, then blocks; at each further resolution, a convolution with stride 2 first.
     */
    private static Layers encoder(Weights w, AutoencoderTinyConfig config) {
        var layers = new Layers(w);
        int width = config.encoderChannels().getFirst();
        layers.add(each -> new Conv2d(each, config.inChannels(), width, 3, 1)::forward);
        for (int level = 0; level < config.encoderBlocks().size(); level++) {
            if (level > 0) {
                layers.add(each -> new Conv2d(each, width, width, 3, 2, 1, false)::forward);
            }
            layers.addBlocks(config.encoderBlocks().get(level), width, config);
        }
        layers.add(each -> new Conv2d(each, width, config.latentChannels(), 3, 1)::forward);
        return layers;
    }

    /**
     * A convolution, then blocks; at the end of each resolution but the last, twice as many rows.
     */
    private static Layers decoder(Weights w, AutoencoderTinyConfig config) {
        var layers = new Layers(w);
        int width = config.decoderChannels().getFirst();
        layers.add(each -> new Conv2d(each, config.latentChannels(), width, 3, 1)::forward);
        layers.add(each -> config.activation()::apply);
        int last = config.decoderBlocks().size() - 1;
        for (int level = 0; level <= last; level++) {
            layers.addBlocks(config.decoderBlocks().get(level), width, config);
            if (level < last) {
                layers.add(each -> AutoencoderTiny::doubled);
                layers.add(each -> new Conv2d(each, width, width, 3, 1, 1, false)::forward);
            }
        }
        layers.add(each -> new Conv2d(each, width, config.outChannels(), 3, 1)::forward);
        return layers;
    }

    private static Tensor doubled(Tensor x) {
        return Ops.resizeNearest(x, 2 * x.size(2), 2 * x.size(3));
    }

    /** Layers that are numbered, those without weights too. */
    private static final class Layers extends Module {
        private final Weights weights;
        private final List<UnaryOperator<Tensor>> layers = new ArrayList<>();

        /** Declares a layer under its number. */
        private interface Declared {
            UnaryOperator<Tensor> by(Weights w);
        }

        Layers(Weights w) {
            super(w);
            weights = w;
        }

        void add(Declared layer) {
            layers.add(layer.by(weights.sub("layers", layers.size())));
        }

        void addBlocks(int count, int width, AutoencoderTinyConfig config) {
            for (int i = 0; i < count; i++) {
                add(each -> new Block(each, width, config)::forward);
            }
        }

        /** Runs the layers one after another: {@code [N,C,H,W]} to {@code [N,C',H',W']}. */
        Tensor forward(Tensor x) {
            try (var chain = new Chain(x)) {
                layers.forEach(chain::run);
                return chain.result();
            }
        }
    }

    /** Three convolutions that are added to their input. */
    private static final class Block extends Module {
        private final List<Conv2d> conv;
        private final AutoencoderTinyConfig config;

        Block(Weights w, int width, AutoencoderTinyConfig config) {
            super(w);
            this.config = config;
            conv = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                conv.add(new Conv2d(w.sub("conv", 2 * i), width, width, 3, 1));
            }
        }

        /** {@code [N,C,H,W]} to {@code [N,C,H,W]}. */
        Tensor forward(Tensor x) {
            try (var scope = TensorScope.open()) {
                Tensor h = config.activation().apply(conv.get(0).forward(x));
                h = config.activation().apply(conv.get(1).forward(h));
                return scope.keep(conv.get(2).forward(h).plus(x).relu()); // whatever the activation
            }
        }
    }
}
