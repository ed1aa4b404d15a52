package dev.darkroom.models.vae;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.function.Function;

/**
 * Latents of an {@link AutoencoderKl}: {@code [C,h,w]}, scaled for the diffusion model. Large
 * pictures are decoded and encoded in {@link Tiles}; where 16 bits overflow, that is done again in
 * float32. Not for several threads at once.
 */
public final class AutoencoderCodec implements VaeCodec {
    /** Rows and columns of a tile of the picture: what Stable Diffusion was trained on. */
    private static final int TILE = 512;

    /** Parameters of a network that decodes about as fast as a tiny one, which has 2 million. */
    private static final long FEW_PARAMETERS = 8_000_000;

    private final AutoencoderKl vae;
    private final Tiling tiling;
    private final int tilePixels;
    private final @Nullable TinyPreview preview;
    private @Nullable LatentColours colours;

    /**
     * @param vae stays the caller's
     * @param tiling when latents are decoded in tiles
     */
    public AutoencoderCodec(AutoencoderKl vae, Tiling tiling) {
        this(vae, tiling, null);
    }

    /**
     * @param preview makes previews, and is closed with the codec; null where the autoencoder does
     */
    AutoencoderCodec(AutoencoderKl vae, Tiling tiling, @Nullable TinyPreview preview) {
        this(vae, tiling, TILE, preview);
    }

    AutoencoderCodec(AutoencoderKl vae, Tiling tiling, int tilePixels) {
        this(vae, tiling, tilePixels, null);
    }

    private AutoencoderCodec(
            AutoencoderKl vae, Tiling tiling, int tilePixels, @Nullable TinyPreview preview) {
        this.preview = preview;
        this.vae = vae;
        this.tiling = tiling;
        this.tilePixels = tilePixels;
    }

    @Override
    public AutoencoderKl network() {
        return vae;
    }

    @Override
    public DType dtype() {
        return vae.dtype();
    }

    @Override
    public int pixelsPerLatent() {
        return vae.config().downsampling();
    }

    @Override
    public int latentChannels() {
        return vae.config().latentChannels();
    }

    @Override
    public long bytesToLoad() {
        return vae.bytesToLoad();
    }

    @Override
    public long decodingBytes(Size size) {
        return bytes(size, computed(vae));
    }

    private static DType computed(AutoencoderKl vae) {
        return Kernels.computed(vae.dtype(), Kernels.Work.CONVOLUTIONS, vae.device());
    }

    private long bytes(Size size, DType computed) {
        long whole = wholeBytes(size.pixels(), computed);
        if (!tiled(size, whole)) {
            return whole;
        }
        // Two rows of tiles are kept, and the rows of the picture until they are put together.
        long kept = 3L * (2 * size.pixels() + 2L * tilePixels * size.width());
        return wholeBytes((long) tilePixels * tilePixels, computed) + kept * computed.bytes();
    }

    private long wholeBytes(long pixels, DType computed) {
        var blocks = vae.config().blockOutChannels();
        long widest = 3L * blocks.getFirst() + blocks.get(Math.min(1, blocks.size() - 1));
        return pixels * widest * computed.bytes();
    }

    /** Whether a picture is decoded and encoded in tiles. */
    private boolean tiled(Size size, long wholeBytes) {
        boolean larger = Math.max(size.height(), size.width()) > tilePixels;
        return larger
                && switch (tiling) {
                    case ON -> true;
                    case OFF -> false;
                    case AUTO ->
                            vae.device().type() == Device.Type.CPU
                                    && wholeBytes > MemoryBudget.current().available();
                };
    }

    @Override
    public Tensor decode(Tensor latents, Report report) {
        if (latents.rank() != 4 || latents.size(1) != vae.config().latentChannels()) {
            throw new IllegalArgumentException(
                    "latents must be [N,"
                            + vae.config().latentChannels()
                            + ",h,w] to be decoded, not "
                            + latents.shape());
        }
        Tensor image =
                finite(
                        "decoding",
                        latents.size(0),
                        size(latents),
                        report,
                        with -> decode(with, latents));
        Finite.require(
                image,
                "the decoded picture",
                "the latents may be far out of range: use less guidance or other steps");
        return image;
    }

    @Override
    public Tensor preview(Tensor latents, Report report) {
        return preview == null ? decode(latents, report) : preview.decode(latents);
    }

    @Override
    public Tensor quickPreview(Tensor latents, Report report) {
        if (preview != null || isSmall(vae) || vae.config().inChannels() != 3) {
            return preview(latents, report);
        }
        if (colours == null) {
            colours = colours(report);
        }
        return colours.of(latents);
    }

    static boolean isSmall(AutoencoderKl vae) {
        return vae.parameters().values().stream().mapToLong(each -> each.shape().elements()).sum()
                <= FEW_PARAMETERS;
    }

    private LatentColours colours(Report report) {
        int side = LatentColours.chartSize(pixelsPerLatent());
        var size = new Size(side, side);
        if (vae.device().type() == Device.Type.CPU) { // in turns, it may not have been loaded yet
            MemoryBudget.current().require(vae.bytesToLoad() + decodingBytes(size), "a preview");
        }
        return LatentColours.of(
                pixelsPerLatent(),
                chart -> {
                    Tensor picture = chart.to(vae.device());
                    Tensor latents =
                            finite("encoding", 1, size, report, with -> encode(with, picture));
                    Finite.require(latents, "the latents of a chart", "the weights may be broken");
                    return latents;
                });
    }

    /** Encodes a picture as the mean of its latents. */
    private static Tensor encode(AutoencoderKl autoencoder, Tensor picture) {
        try (var scope = TensorScope.open()) {
            Tensor mean = autoencoder.encode(picture.to(autoencoder.dtype())).mean();
            return scope.keep(autoencoder.scaled(mean).to(DType.FLOAT32));
        }
    }

    @Override
    public void close() {
        if (preview != null) {
            preview.close();
        }
    }

    @Override
    public Tensor encode(Tensor picture, Tensor noise, Report report) {
        var size = new Size((int) picture.size(2), (int) picture.size(3));
        Tensor latents = finite("encoding", 1, size, report, with -> encode(with, picture, noise));
        Finite.require(latents, "the latents of the picture", "the weights may be broken");
        return latents;
    }

    private Tensor encode(AutoencoderKl autoencoder, Tensor picture, Tensor noise) {
        var size = new Size((int) picture.size(2), (int) picture.size(3));
        try (var scope = TensorScope.open()) {
            Tensor x = picture.to(autoencoder.dtype());
            DiagonalGaussian moments =
                    tiled(size, wholeBytes(size.pixels(), computed(autoencoder)))
                            ? DiagonalGaussian.of(Tiles.encoding(autoencoder, tilePixels).run(x))
                            : autoencoder.encode(x);
            return scope.keep(autoencoder.scaled(moments.sample(noise)).to(DType.FLOAT32));
        }
    }

    /** Computes in the weights' type, and again in float32 where that overflows. */
    private Tensor finite(
            String what,
            long pictures,
            Size size,
            Report report,
            Function<AutoencoderKl, Tensor> computed) {
        Tensor result = computed.apply(vae);
        if (vae.dtype().bytes() >= DType.FLOAT32.bytes() || Finite.is(result)) {
            return result;
        }
        report.warn(
                what
                        + " overflowed in "
                        + vae.dtype()
                        + " and was done again in float32; ask for that type"
                        + " (--vae-dtype float32) to save the first try");
        result.close();
        try (AutoencoderKl wide = wide(what, pictures, size)) {
            return computed.apply(wide);
        }
    }

    private Tensor decode(AutoencoderKl autoencoder, Tensor latents) {
        Size size = size(latents);
        try (var scope = TensorScope.open()) {
            Tensor z = autoencoder.unscaled(latents.to(autoencoder.dtype()));
            Tensor image =
                    tiled(size, wholeBytes(size.pixels(), computed(autoencoder)))
                            ? Tiles.decoding(autoencoder, tilePixels).run(z)
                            : autoencoder.decode(z);
            return scope.keep(image.to(DType.FLOAT32));
        }
    }

    private Size size(Tensor latents) {
        int pixels = pixelsPerLatent();
        return new Size((int) latents.size(2) * pixels, (int) latents.size(3) * pixels);
    }

    /** The same weights in float32. */
    private AutoencoderKl wide(String what, long pictures, Size size) {
        if (vae.device().type() == Device.Type.CPU) {
            MemoryBudget.current()
                    .require(pictures * bytes(size, DType.FLOAT32), what + " again in float32");
        }
        try {
            return Weights.load(
                    WeightSource.of("vae", vae.state()),
                    DType.FLOAT32,
                    vae.device(),
                    w -> new AutoencoderKl(w, vae.config()));
        } catch (IOException e) {
            throw new UncheckedIOException("tensors in memory can be read", e);
        }
    }
}
