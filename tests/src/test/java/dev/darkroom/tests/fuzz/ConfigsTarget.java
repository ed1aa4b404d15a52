package dev.darkroom.tests.fuzz;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.vae.AutoencoderKlConfig;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Any bytes, but the first, as a config of a checkpoint; the first says of which part. */
public final class ConfigsTarget {
    private static final int STEPS = 5;

    private static Path folder = Path.of("");

    private ConfigsTarget() {}

    private interface Reader {
        Object read(Path file) throws IOException;
    }

    private enum Part {
        INDEX(
                "model_index.json",
                file -> {
                    try (var pipeline = Pipeline.load(file.getParent(), options())) {
                        return pipeline;
                    }
                },
                "{\"_class_name\": \"PixArtAlphaPipeline\", \"_diffusers_version\": \"0.35.2\","
                    + " \"scheduler\": [\"diffusers\", \"DDIMScheduler\"], \"vae\": [\"diffusers\","
                    + " \"AutoencoderKL\"], \"feature_extractor\": [null, null], \"id2label\":"
                    + " {\"0\": \"a, b\"}}"),
        T5(
                "config.json",
                T5Config::read,
                "{\"d_model\": 64, \"d_kv\": 8, \"num_layers\": 2, \"d_ff\": 40, \"num_heads\": 2,"
                        + " \"feed_forward_proj\": \"gated-gelu\", \"layer_norm_epsilon\": 1e-06,"
                        + " \"relative_attention_num_buckets\": 8, \"vocab_size\": 256}"),
        PIXART(
                "config.json",
                PixArtConfig::read,
                "{\"num_layers\": 2, \"sample_size\": 16, \"patch_size\": 2, \"norm_eps\": 1e-6,"
                        + " \"attention_head_dim\": 12, \"num_attention_heads\": 4,"
                        + " \"cross_attention_dim\": 48, \"in_channels\": 4, \"out_channels\": 8,"
                        + " \"caption_channels\": 32, \"interpolation_scale\": null,"
                        + " \"use_additional_conditions\": true}"),
        DIT(
                "config.json",
                DitConfig::read,
                "{\"num_layers\": 2, \"sample_size\": 16, \"num_embeds_ada_norm\": 10,"
                        + " \"attention_head_dim\": 12, \"norm_type\": \"ada_norm_zero\"}"),
        VAE(
                "config.json",
                AutoencoderKlConfig::read,
                "{\"block_out_channels\": [16, 48], \"norm_num_groups\": 8, \"down_block_types\":"
                        + " [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\"], \"up_block_types\":"
                        + " [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"], \"scaling_factor\": 0.5,"
                        + " \"latents_mean\": [0, 1, 2, 3], \"latents_std\": null}"),
        LORA(
                "adapter_config.json",
                LoraConfig::read,
                "{\"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"to_q\", \"to_k\"],"
                        + " \"rank_pattern\": {\"to_q\": 2}, \"peft_type\": \"LORA\"}"),
        SCHEDULER(
                "scheduler_config.json",
                ConfigsTarget::plan,
                "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"num_train_timesteps\": 1000,"
                        + " \"beta_schedule\": \"linear\", \"trained_betas\": null,"
                        + " \"solver_order\": 2, \"use_karras_sigmas\": false,"
                        + " \"timestep_spacing\": \"linspace\", \"lambda_min_clipped\": -Infinity}",
                "{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 50,"
                        + " \"beta_schedule\": \"scaled_linear\", \"num_train_timesteps\": 100}",
                "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 3.0,"
                        + " \"use_dynamic_shifting\": false, \"base_shift\": 0.5}",
                "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", \"beta_end\": 0.02,"
                        + " \"rescale_betas_zero_snr\": true, \"steps_offset\": 1}",
                "{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned_range\","
                        + " \"trained_betas\": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}");

        final String file;
        final Reader reader;
        final List<String> seeds;

        Part(String file, Reader reader, String... seeds) {
            this.file = file;
            this.reader = reader;
            this.seeds = List.of(seeds);
        }
    }

    private static PipelineOptions options() {
        return PipelineOptions.defaults().withLogging(false);
    }

    /** Reads a scheduler, and sets its noise levels for a few steps. */
    private static Object plan(Path file) throws IOException {
        Scheduler spec = Scheduler.read(file);
        try {
            return spec.plan(STEPS);
        } catch (IllegalArgumentException e) { // steps that do not fit it
            Answers.requireLine(e);
            return spec;
        }
    }

    static List<byte[]> seeds() {
        var seeds = new ArrayList<byte[]>();
        for (Part part : Part.values()) {
            part.seeds.forEach(seed -> seeds.add(Answers.bytes(part.ordinal() + seed)));
        }
        return seeds;
    }

    static List<String> dictionary() {
        var entries = new ArrayList<>(Scheduler.schedulers());
        entries.addAll(
                List.of(
                        "num_train_timesteps",
                        "rescale_betas_zero_snr",
                        "timestep_spacing",
                        "final_sigmas_type",
                        "use_exponential_sigmas",
                        "use_beta_sigmas",
                        "use_flow_sigmas",
                        "flow_shift",
                        "squaredcos_cap_v2",
                        "v_prediction",
                        "trailing",
                        "2147483647",
                        "-2147483648",
                        "1e308",
                        "NaN",
                        "-Infinity",
                        "null",
                        "true",
                        "\"\"",
                        "[]",
                        "{}",
                        "[[",
                        "\\ud800",
                        "\\u0000"));
        return entries;
    }

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        folder = Answers.folder();
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        Part part = Part.values()[Math.floorMod(input[0] - '0', Part.values().length)];
        Path file = folder.resolve(part.file);
        Files.write(file, Arrays.copyOfRange(input, 1, input.length));
        try {
            part.reader.read(file);
        } catch (ConfigException | PipelineException e) {
            Answers.requireTyped(e, folder);
        }
        Answers.requireNothingLive();
    }
}
