package dev.darkroom.models.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.vae.AutoencoderKlConfig;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Configs that ask for more than there can be are refused before anything is allocated. */
@Timeout(60)
class BoundsTest {
    private static final int LONGEST_MESSAGE = 1000;

    @TempDir private Path folder;

    /** What reads a checkpoint's config. */
    private interface Reader {
        Object read(Path file) throws IOException;
    }

    private ConfigException refusal(String json, Reader reader) throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), json);
        var refusal = assertThrows(ConfigException.class, () -> reader.read(file));
        assertTrue(refusal.getMessage().length() < LONGEST_MESSAGE, "a long message");
        assertEquals(1, refusal.getMessage().lines().count(), refusal.getMessage());
        return refusal;
    }

    @ParameterizedTest
    @CsvSource({
        "T5, num_layers",
        "T5, num_heads",
        "T5, d_kv",
        "T5, d_model",
        "T5, d_ff",
        "T5, vocab_size",
        "T5, relative_attention_num_buckets",
        "T5, relative_attention_max_distance",
        "PixArt, num_layers",
        "PixArt, sample_size",
        "PixArt, num_attention_heads",
        "PixArt, attention_head_dim",
        "PixArt, cross_attention_dim",
        "PixArt, caption_channels",
        "PixArt, in_channels",
        "PixArt, out_channels",
        "PixArt, patch_size",
        "PixArt, time_cond_proj_dim",
        "DiT, num_layers",
        "DiT, sample_size",
        "DiT, num_embeds_ada_norm",
        "VAE, layers_per_block",
        "VAE, latent_channels",
        "VAE, in_channels",
        "VAE, norm_num_groups",
        "Scheduler, num_train_timesteps",
        "Scheduler, steps_offset"
    })
    void aBillionIsRefused(String config, String option) throws IOException {
        Reader reader =
                switch (config) {
                    case "T5" -> T5Config::read;
                    case "PixArt" -> PixArtConfig::read;
                    case "DiT" -> DitConfig::read;
                    case "VAE" -> AutoencoderKlConfig::read;
                    default -> Scheduler::read;
                };
        for (String value : List.of("1000000000", "2147483647")) {
            var refusal =
                    refusal(
                            "{\"_class_name\": \"DDIMScheduler\", \"%s\": %s}"
                                    .formatted(option, value),
                            reader);
            assertTrue(
                    refusal.getMessage().contains(option + " must be at most "),
                    refusal.getMessage());
            assertTrue(refusal.getMessage().endsWith(", not " + value), refusal.getMessage());
        }
    }

    @Test
    void aBillionInAListIsRefused() throws IOException {
        var refusal = refusal("{\"block_out_channels\": [1000000000]}", AutoencoderKlConfig::read);
        assertTrue(refusal.getMessage().contains("block_out_channels must be at most "));
    }

    @Test
    void aHugeFileIsNotRead() throws IOException {
        Path file = folder.resolve("config.json");
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(1L << 40);
        }
        var refusal = assertThrows(ConfigException.class, () -> T5Config.read(file));
        assertTrue(refusal.getMessage().contains("1.00 TiB"), refusal.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"num_layers", "feed_forward_proj", "is_gated_act", "unknown_option"})
    void nothingIsEchoedAtLength(String option) throws IOException {
        refusal("{\"" + option + "\": [\"" + "much\\n".repeat(100_000) + "\"]}", T5Config::read);
        refusal("{\"" + "o".repeat(40_000) + "\": 1}", T5Config::read);
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"a\":"})
    void nestingWithoutEndIsRefused(String open) throws IOException {
        refusal(open.repeat(1_000_000), T5Config::read);
    }
}
