package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;
import java.util.stream.IntStream;

/** The decoder: from latents to pixels. */
final class Decoder extends Module {
    private final Conv2d convIn;
    private final MidBlock midBlock;
    private final List<UpBlock> upBlocks;
    private final GroupNorm convNormOut;
    private final Conv2d convOut;

    Decoder(Weights w, AutoencoderKlConfig config) {
        super(w);
        var channels = config.blockOutChannels();
        int last = channels.getFirst();
        convIn = new Conv2d(w.sub("conv_in"), config.latentChannels(), channels.getLast(), 3, 1);
        midBlock = new MidBlock(w.sub("mid_block"), config);
        upBlocks =
                IntStream.range(0, channels.size())
                        .mapToObj(i -> new UpBlock(w.sub("up_blocks", i), i, config))
                        .toList();
        convNormOut =
                new GroupNorm(w.sub("conv_norm_out"), config.normGroups(), last, AutoencoderKl.EPS);
        convOut = new Conv2d(w.sub("conv_out"), last, config.outChannels(), 3, 1);
    }

    /**
     * Decodes latents.
     *
     * @param latents {@code [N,C,H,W]}
     * @return {@code [N,C',H·f,W·f]}
     */
    Tensor forward(Tensor latents) {
        try (var chain = new Chain(latents)) {
            chain.run(convIn::forward);
            chain.run(x -> segments().run(in -> midBlock.forward(in.get(0)), x));
            for (UpBlock block : upBlocks) {
                chain.run(x -> segments().run(in -> block.forward(in.get(0)), x));
            }
            chain.run(convNormOut::forward);
            chain.run(Tensor::silu); // whatever the activation in the blocks
            chain.run(convOut::forward);
            return chain.result();
        }
    }
}
