package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;
import java.util.stream.IntStream;

/** The encoder: from pixels to the mean and the log variance of latents. */
final class Encoder extends Module {
    private final Conv2d convIn;
    private final List<DownBlock> downBlocks;
    private final MidBlock midBlock;
    private final GroupNorm convNormOut;
    private final Conv2d convOut;

    Encoder(Weights w, AutoencoderKlConfig config) {
        super(w);
        var channels = config.blockOutChannels();
        int last = channels.getLast();
        convIn = new Conv2d(w.sub("conv_in"), config.inChannels(), channels.getFirst(), 3, 1);
        downBlocks =
                IntStream.range(0, channels.size())
                        .mapToObj(i -> new DownBlock(w.sub("down_blocks", i), i, config))
                        .toList();
        midBlock = new MidBlock(w.sub("mid_block"), config);
        convNormOut =
                new GroupNorm(w.sub("conv_norm_out"), config.normGroups(), last, AutoencoderKl.EPS);
        convOut = new Conv2d(w.sub("conv_out"), last, 2L * config.latentChannels(), 3, 1);
    }

    /**
     * Encodes images.
     *
     * @param images {@code [N,C',H·f,W·f]}
     * @return {@code [N,2C,H,W]}
     */
    Tensor forward(Tensor images) {
        try (var chain = new Chain(images)) {
            chain.run(convIn::forward);
            for (DownBlock block : downBlocks) {
                chain.run(x -> segments().run(in -> block.forward(in.get(0)), x));
            }
            chain.run(x -> segments().run(in -> midBlock.forward(in.get(0)), x));
            chain.run(convNormOut::forward);
            chain.run(Tensor::silu); // whatever the activation in the blocks
            chain.run(convOut::forward);
            return chain.result();
        }
    }
}
