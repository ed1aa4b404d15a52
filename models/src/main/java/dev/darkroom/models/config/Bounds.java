package dev.darkroom.models.config;

import java.util.Map;

/**
 * The most that the integers of configs may be. A config may come from anybody, and its integers
 * say how much is allocated, so they are held to several times what anybody has made.
 */
final class Bounds {
    private static final int MOST = 1 << 24;

    private static final int MOST_LAYERS = 1000;
    private static final int MOST_HEADS = 1 << 12;
    private static final int MOST_HEAD_WIDTH = 1 << 14;
    private static final int MOST_TIMESTEPS = 100_000;
    private static final int MOST_LATENTS = 1 << 14;
    private static final int MOST_SINUSOIDS = 1 << 16;

    private static final Map<String, Integer> BY_NAME =
            Map.ofEntries(
                    Map.entry("num_layers", MOST_LAYERS),
                    Map.entry("layers_per_block", MOST_LAYERS),
                    Map.entry("num_heads", MOST_HEADS),
                    Map.entry("num_attention_heads", MOST_HEADS),
                    Map.entry("d_kv", MOST_HEAD_WIDTH),
                    Map.entry("attention_head_dim", MOST_HEAD_WIDTH),
                    Map.entry("num_train_timesteps", MOST_TIMESTEPS),
                    Map.entry("original_inference_steps", MOST_TIMESTEPS),
                    Map.entry("steps_offset", MOST_TIMESTEPS),
                    Map.entry("sample_size", MOST_LATENTS),
                    Map.entry("patch_size", MOST_LATENTS),
                    Map.entry("time_cond_proj_dim", MOST_SINUSOIDS),
                    Map.entry("guidanceChannels", MOST_SINUSOIDS),
                    Map.entry("seed", Integer.MAX_VALUE),
                    Map.entry("steps", Integer.MAX_VALUE));

    private Bounds() {}

    /** Fails if an option's integer is beyond all that there is. */
    static void require(String key, int value) {
        int most = BY_NAME.getOrDefault(key, MOST);
        if (value > most) {
            throw new IllegalArgumentException(key + " must be at most " + most + ", not " + value);
        }
    }
}
