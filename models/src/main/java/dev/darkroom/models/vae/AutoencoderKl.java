package dev.darkroom.models.vae;

import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.List;

/**
 * The autoencoder of latent diffusion (Rombach et al. 2022, "High-Resolution Image Synthesis with
 * Latent Diffusion Models"), in diffusers' layout {@code AutoencoderKL}. Images are {@code
 * [N,C,H,W]} from −1 to 1.
 */
public final class AutoencoderKl extends Module {
    /** The epsilon of all norms, which no config sets. */
    static final double EPS = 1e-6;

    /**
     * Tensors that training left in files: the discriminator, and the variance of the
     * reconstruction.
     */
    private static final String[] LEFTOVERS = {"loss.*", "logvar"};

    private final AutoencoderKlConfig config;
    private final Encoder encoder;
    private final Decoder decoder;
    private final @Nullable Conv2d quantConv;
    private final @Nullable Conv2d postQuantConv;

    /** Declares the network. */
    public AutoencoderKl(Weights weights, AutoencoderKlConfig config) {
        super(weights);
        this.config = config;
        weights.ignore(LEFTOVERS);
        Weights w = weights.keptWhole();
        long channels = config.latentChannels();
        encoder = new Encoder(w.sub("encoder"), config);
        decoder = new Decoder(w.sub("decoder"), config);
        quantConv =
                config.quantConv()
                        ? new Conv2d(w.sub("quant_conv"), 2 * channels, 2 * channels, 1, 0)
                        : null;
        postQuantConv =
                config.postQuantConv()
                        ? new Conv2d(w.sub("post_quant_conv"), channels, channels, 1, 0)
                        : null;
    }

    /**
     * Loads an autoencoder strictly, from older checkpoints too, in which attention has other
     * names.
     *
     * @param dtype the type of the parameters; null to keep theirs
     * @throws IOException if the weights can't be read or do not fit the config
     */
    public static AutoencoderKl load(
            WeightSource source, AutoencoderKlConfig config, @Nullable DType dtype, Device device)
            throws IOException {
        return load(source, config, dtype, device, Warnings.strict());
    }

    /**
     * Loads an autoencoder, from older checkpoints too, in which attention has other names.
     *
     * @param dtype the type of the parameters; null to keep theirs
     * @param warnings collect tensors without a use; if they are strict, these are errors
     * @throws IOException if the weights can't be read or do not fit the config
     */
    public static AutoencoderKl load(
            WeightSource source,
            AutoencoderKlConfig config,
            @Nullable DType dtype,
            Device device,
            Warnings warnings)
            throws IOException {
        return Weights.load(
                OldAttention.currentNames(source),
                dtype,
                device,
                warnings,
                w -> new AutoencoderKl(w, config));
    }

    /** Returns the config that the network was made with. */
    public AutoencoderKlConfig config() {
        return config;
    }

    /**
     * Encodes images.
     *
     * @param images {@code [N,C,H,W]} from −1 to 1, H and W multiples of {@link
     *     AutoencoderKlConfig#downsampling}
     * @return the distribution of the latents, not {@linkplain #scaled scaled}
     * @throws IllegalArgumentException if the shape is another
     */
    public DiagonalGaussian encode(Tensor images) {
        requireImages("encode", images, config.inChannels());
        int multiple = config.downsampling();
        if (images.size(2) % multiple != 0 || images.size(3) % multiple != 0) {
            throw new IllegalArgumentException(
                    "encode: height and width of "
                            + images.shape()
                            + " must be multiples of "
                            + multiple);
        }
        try (var scope = TensorScope.open()) {
            var gaussian = DiagonalGaussian.of(moments(images));
            scope.keep(gaussian.mean());
            scope.keep(gaussian.logVariance());
            return gaussian;
        }
    }

    /** Encodes images as means and log variances {@code [N,2C,H/f,W/f]}. */
    Tensor moments(Tensor images) {
        try (var scope = TensorScope.open()) {
            var h = encoder.forward(images);
            return scope.keep(quantConv == null ? h : quantConv.forward(h));
        }
    }

    /**
     * Decodes latents.
     *
     * @param latents {@code [N,C,H,W]}, {@linkplain #unscaled not scaled}
     * @return images {@code [N,C',H·f,W·f]} with f = {@link AutoencoderKlConfig#downsampling};
     *     about from −1 to 1, not clamped
     * @throws IllegalArgumentException if the shape is another
     */
    public Tensor decode(Tensor latents) {
        requireImages("decode", latents, config.latentChannels());
        try (var scope = TensorScope.open()) {
            var h = postQuantConv == null ? latents : postQuantConv.forward(latents);
            return scope.keep(decoder.forward(h));
        }
    }

    private static void requireImages(String method, Tensor x, int channels) {
        if (x.rank() != 4 || x.size(1) != channels || x.elements() == 0) {
            throw new IllegalArgumentException(
                    method
                            + ": shape must be [N, "
                            + channels
                            + ", H, W] with sizes from 1, not "
                            + x.shape());
        }
    }

    /**
     * Scales the encoder's latents to those of the diffusion model, of about unit variance: (z −
     * shift) · scale, or with a mean and a standard deviation of each channel (z − mean) · scale /
     * deviation.
     *
     * @param latents {@code [N,C,H,W]}
     */
    public Tensor scaled(Tensor latents) {
        try (var scope = TensorScope.open()) {
            Double shift = config.shiftFactor();
            var centred = shift == null ? latents : latents.minus(shift);
            if (config.latentsMean() != null && config.latentsStd() != null) {
                centred =
                        latents.minus(perChannel(config.latentsMean(), latents))
                                .dividedBy(perChannel(config.latentsStd(), latents));
            }
            return scope.keep(centred.times(config.scalingFactor()));
        }
    }

    /**
     * Scales the diffusion model's latents to those of the decoder: z / scale + shift, or z ·
     * deviation / scale + mean.
     *
     * @param latents {@code [N,C,H,W]}
     */
    public Tensor unscaled(Tensor latents) {
        try (var scope = TensorScope.open()) {
            if (config.latentsMean() != null && config.latentsStd() != null) {
                return scope.keep(
                        latents.times(perChannel(config.latentsStd(), latents))
                                .dividedBy(config.scalingFactor())
                                .plus(perChannel(config.latentsMean(), latents)));
            }
            Double shift = config.shiftFactor();
            var wide = latents.dividedBy(config.scalingFactor());
            return scope.keep(shift == null ? wide : wide.plus(shift));
        }
    }

    /** Returns values as {@code [1,C,1,1]}, in the type and on the device of the latents. */
    private static Tensor perChannel(List<Double> values, Tensor latents) {
        float[] numbers = new float[values.size()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = values.get(i).floatValue();
        }
        return Tensor.copyOf(numbers, 1, numbers.length, 1, 1)
                .to(latents.dtype())
                .to(latents.device());
    }
}
