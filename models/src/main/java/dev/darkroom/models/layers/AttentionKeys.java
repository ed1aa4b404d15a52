package dev.darkroom.models.layers;

import dev.darkroom.runtime.nn.Attention.Keys;

/** The names that the parts of an attention layer have in diffusers' checkpoints. */
public final class AttentionKeys {
    /** The names in a layer of one stream, and of the picture's stream in joint attention. */
    public static final Keys DIFFUSERS =
            new Keys("to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k");

    /** The names of the text's stream in joint attention, which stand beside the picture's. */
    public static final Keys DIFFUSERS_ADDED =
            new Keys(
                    "add_q_proj",
                    "add_k_proj",
                    "add_v_proj",
                    "to_add_out",
                    "norm_added_q",
                    "norm_added_k");

    private AttentionKeys() {}
}
