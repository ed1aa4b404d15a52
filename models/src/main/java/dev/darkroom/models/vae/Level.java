package dev.darkroom.models.vae;

import dev.darkroom.models.layers.AttentionBlock;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;

/** The layers of one resolution: residual blocks, and self-attention after the first of them. */
abstract class Level extends Module {
    private final List<ResnetBlock> resnets = new ArrayList<>();
    private final List<AttentionBlock> attentions = new ArrayList<>();

    /**
     * Declares the layers.
     *
     * @param attentions how many of the residual blocks self-attention follows
     */
    Level(Weights w, int in, int out, int resnets, int attentions, AutoencoderKlConfig config) {
        super(w);
        for (int i = 0; i < resnets; i++) {
            var resnet = w.sub("resnets", i);
            this.resnets.add(new ResnetBlock(resnet, i == 0 ? in : out, out, config.resnets()));
            if (i < attentions) {
                this.attentions.add(
                        new AttentionBlock(
                                w.sub("attentions", i),
                                out,
                                1,
                                config.normGroups(),
                                AutoencoderKl.EPS));
            }
        }
    }

    /** Runs the layers: {@code [N,in,H,W]} to {@code [N,out,H,W]}. */
    final void runLayers(Chain chain) {
        for (int i = 0; i < resnets.size(); i++) {
            chain.run(resnets.get(i)::forward);
            if (i < attentions.size()) {
                chain.run(attentions.get(i)::forward);
            }
        }
    }
}
