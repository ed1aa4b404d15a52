package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** The encoder or the decoder: levels between two convolutions. */
final class Coder extends Module {
    private final List<UnaryOperator<Tensor>> layers = new ArrayList<>();

    private Coder(Weights w) {
        super(w);
    }

    /** {@code [N,image channels,H,W]} to {@code [N,2·latent channels,H/8,W/8]}. */
    static Coder encoder(Weights w, AutoencoderKlConfig config) {
        var channels = config.blockOutChannels();
        var encoder = new Coder(w);
        encoder.convIn(w, config.inChannels(), channels.getFirst());
        for (int i = 0; i < channels.size(); i++) {
            encoder.segment(Level.down(w.sub("down_blocks", i), i, config)::forward);
        }
        encoder.midBlock(w.sub("mid_block"), config);
        encoder.convOut(w, channels.getLast(), 2L * config.latentChannels(), config);
        return encoder;
    }

    /** {@code [N,latent channels,H,W]} to {@code [N,image channels,8H,8W]}. */
    static Coder decoder(Weights w, AutoencoderKlConfig config) {
        var channels = config.blockOutChannels();
        var decoder = new Coder(w);
        decoder.convIn(w, config.latentChannels(), channels.getLast());
        decoder.midBlock(w.sub("mid_block"), config);
        for (int i = 0; i < channels.size(); i++) {
            decoder.segment(Level.up(w.sub("up_blocks", i), i, config)::forward);
        }
        decoder.convOut(w, channels.getFirst(), config.outChannels(), config);
        return decoder;
    }

    Tensor forward(Tensor x) {
        return Chain.run(x, layers);
    }

    private void segment(UnaryOperator<Tensor> block) {
        layers.add(x -> segments().run(in -> block.apply(in.get(0)), x));
    }

    private void convIn(Weights w, int in, int out) {
        layers.add(new Conv2d(w.sub("conv_in"), in, out, 3, 1)::forward);
    }

    private void midBlock(Weights w, AutoencoderKlConfig config) {
        int channels = config.blockOutChannels().getLast();
        segment(new ResnetBlock(w.sub("resnets.0"), channels, channels, config)::forward);
        if (config.midBlockAttention()) {
            segment(new AttentionBlock(w.sub("attentions.0"), channels, config)::forward);
        }
        segment(new ResnetBlock(w.sub("resnets.1"), channels, channels, config)::forward);
    }

    /** Its activation is SiLU whatever the config says of the blocks'. */
    private void convOut(Weights w, int in, long out, AutoencoderKlConfig config) {
        var norm =
                new GroupNorm(w.sub("conv_norm_out"), config.normGroups(), in, AutoencoderKl.EPS);
        var conv = new Conv2d(w.sub("conv_out"), in, out, 3, 1);
        layers.add(norm::forward);
        layers.add(Tensor::silu);
        layers.add(conv::forward);
    }
}
