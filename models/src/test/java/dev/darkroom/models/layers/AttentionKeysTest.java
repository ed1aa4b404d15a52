package dev.darkroom.models.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.RmsNorm;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;

import java.util.TreeSet;

class AttentionKeysTest {
    /** Joint attention as a block of SD3.5 has it. */
    private static final class Joint extends Module {
        Joint(Weights w) {
            super(w);
            var sizes = Attention.Sizes.self(8, 2, true);
            Attention.HeadNorm norm = (at, width) -> new RmsNorm(at, width, 1e-6)::forward;
            var _ = new Attention(w.sub("attn"), sizes, AttentionKeys.DIFFUSERS, norm);
            var _ = new Attention(w.sub("attn"), sizes, AttentionKeys.DIFFUSERS_ADDED, norm);
        }
    }

    @Test
    void bothStreamsHaveTheirNamesInOnePlace() {
        assertEquals(
                """
                attn.add_k_proj.bias
                attn.add_k_proj.weight
                attn.add_q_proj.bias
                attn.add_q_proj.weight
                attn.add_v_proj.bias
                attn.add_v_proj.weight
                attn.norm_added_k.weight
                attn.norm_added_q.weight
                attn.norm_k.weight
                attn.norm_q.weight
                attn.to_add_out.bias
                attn.to_add_out.weight
                attn.to_k.bias
                attn.to_k.weight
                attn.to_out.0.bias
                attn.to_out.0.weight
                attn.to_q.bias
                attn.to_q.weight
                attn.to_v.bias
                attn.to_v.weight\
                """,
                String.join("\n", new TreeSet<>(Weights.declared(Joint::new).keySet())));
    }
}
