package dev.darkroom.models.family.sd;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.tokenizers.ClipFiles;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A file in the layout of Stable Diffusion's authors: all networks under the names of their own
 * code. What it is follows from names and shapes, and what these do not say from the family.
 */
final class OriginalFile {
    static final String UNET = "model.diffusion_model.";
    static final String VAE = "first_stage_model.";
    static final String FIRST_OF_XL = "conditioner.embedders.0.transformer.";
    private static final String VAE_ENCODER = VAE + "encoder.down.";
    private static final int INPAINTING_CHANNELS = 9;

    /** Width of OpenCLIP's ViT-H, of whose layers Stable Diffusion 2 leaves out the last. */
    private static final int VIT_H_WIDTH = 1024;

    private static final int VIT_H_LAYERS = 23;
    private static final int HEAD_WIDTH = 64;
    private static final int FIRST_HEADS = 8;
    private static final String OPENAI_PADDING = "<|endoftext|>";
    private static final String OPENCLIP_PADDING = "!";

    /** What training and conversions leave in such files. */
    private static final List<String> LEFTOVERS =
            List.of(
                    "model_ema.*",
                    "first_stage_model.model_ema.*",
                    "first_stage_model.loss.*",
                    "alphas_cumprod*",
                    "betas",
                    "sqrt_*",
                    "log_one_minus_alphas_cumprod",
                    "posterior_*",
                    "lvlb_weights",
                    "logvar",
                    "scale_factor",
                    "global_step",
                    "denoiser.sigmas",
                    "v_pred",
                    "ztsnr",
                    "*.position_ids",
                    "*.logit_scale",
                    "*.attn_mask",
                    "cond_stage_model.transformer.vision_model.*",
                    "cond_stage_model.transformer.visual_projection.weight",
                    "cond_stage_model.model.text_projection",
                    "cond_stage_model.model.transformer.resblocks.23.*",
                    "cond_stage_model.transformer.text_projection.weight",
                    "conditioner.embedders.0.transformer.text_projection.weight");

    /** Of a U-Net that follows from its tensors, all have a use; so do scales of other tensors. */
    private static final List<String> ESSENTIAL =
            List.of(UNET + "*", "*.scale_weight", "*.weight_scale");

    /** Which text encoders a file has. */
    enum Kind {
        FIRST("Stable Diffusion 1", "cond_stage_model.transformer.", "StableDiffusion"),
        SECOND("Stable Diffusion 2", "cond_stage_model.model.", "StableDiffusion"),
        XL("Stable Diffusion XL", "conditioner.embedders.1.model.", "StableDiffusionXL"),
        REFINER(
                "Stable Diffusion XL Refiner",
                "conditioner.embedders.0.model.",
                "StableDiffusionXL");

        private final String title;

        /** Of the last text encoder. */
        final String prefix;

        private final String pipelines;

        Kind(String title, String prefix, String pipelines) {
            this.title = title;
            this.prefix = prefix;
            this.pipelines = pipelines;
        }

        boolean isXl() {
            return this == XL || this == REFINER;
        }
    }

    private final SafetensorsHeader header;
    private final Kind kind;
    private final Map<String, String> files = new LinkedHashMap<>();
    private final Map<String, KeyMap> weights = new LinkedHashMap<>();
    private final ObjectNode index = object();

    private OriginalFile(SafetensorsHeader header, Kind kind) {
        this.header = header;
        this.kind = kind;
    }

    /** Reads a header; empty if the file is of another kind. */
    static Optional<OriginalFile> of(SafetensorsHeader header) {
        if (!header.tensors().containsKey(UNET + "input_blocks.0.0.weight")
                || !header.tensors().containsKey(UNET + "out.2.weight")) {
            return Optional.empty();
        }
        for (Kind kind : Kind.values()) {
            if (has(header, kind.prefix)) {
                return Optional.of(new OriginalFile(header, kind));
            }
        }
        return Optional.empty();
    }

    /** Returns whether a file is one that some pipelines sample. */
    static boolean isOf(SafetensorsHeader header, Set<String> pipelines) {
        return of(header).filter(file -> pipelines.contains(file.pipeline())).isPresent();
    }

    /**
     * Returns what a file would be as a folder; empty if it is of another kind.
     *
     * @throws IOException if networks are missing in it, or it can't be read
     */
    static Optional<HubLayout> layoutOf(SafetensorsHeader file) throws IOException {
        var original = of(file);
        return original.isEmpty() ? Optional.empty() : Optional.of(original.get().layout());
    }

    private static boolean has(SafetensorsHeader header, String prefix) {
        return header.tensors().keySet().stream().anyMatch(name -> name.startsWith(prefix));
    }

    /** Returns the pipeline that a folder of it would name. */
    String pipeline() {
        String task = kind == Kind.REFINER ? "Img2Img" : inpaints() ? "Inpaint" : "";
        return kind.pipelines + task + "Pipeline";
    }

    private boolean inpaints() {
        Shape first =
                Objects.requireNonNull(header.tensors().get(UNET + "input_blocks.0.0.weight"))
                        .shape();
        return first.rank() > 1 && first.size(1) == INPAINTING_CHANNELS;
    }

    /**
     * Returns what the file would be as a folder.
     *
     * @throws CheckpointException if networks are missing, or the file says nothing of what it was
     *     trained to predict
     */
    HubLayout layout() throws IOException {
        if (!has(header, VAE_ENCODER)) {
            throw new CheckpointException(
                    header.file()
                            + " holds U-Net and text encoder but no autoencoder ("
                            + VAE
                            + "*); use a file with a VAE in it");
        }
        if (kind == Kind.XL && !has(header, FIRST_OF_XL)) {
            throw new CheckpointException(
                    header.file()
                            + " holds the second text encoder of Stable Diffusion XL but not the"
                            + " first (conditioner.embedders.0.transformer.*)");
        }
        index.put("_class_name", pipeline());
        if (kind.isXl()) {
            index.put("force_zeros_for_empty_prompt", kind == Kind.XL);
            index.put("requires_aesthetics_score", kind == Kind.REFINER);
        } else {
            index.put("requires_safety_checker", false);
        }
        var predictions = Predictions.of(header, kind == Kind.SECOND);
        textEncoders();
        unet(predictions);
        vae();
        scheduler(predictions);
        files.put(Checkpoint.INDEX, index.toPrettyString());
        String title = kind.title + (inpaints() ? " Inpainting" : "");
        return new HubLayout(title, files, weights, LEFTOVERS, ESSENTIAL);
    }

    // ---- Parts ----

    private void part(String name, String library, String className) {
        index.putArray(name).add(library).add(className);
    }

    private void config(String part, String name, ObjectNode json) {
        files.put(part + "/" + name, json.toPrettyString());
    }

    private void textEncoders() throws CheckpointException {
        switch (kind) {
            case FIRST -> clip("", kind.prefix);
            case SECOND -> openClip("", kind.prefix, false);
            case XL -> {
                clip("", FIRST_OF_XL);
                openClip("_2", kind.prefix, true);
            }
            case REFINER -> openClip("_2", kind.prefix, true);
        }
    }

    private void clip(String suffix, String prefix) throws CheckpointException {
        boolean nested = has(header, prefix + "text_model.");
        String inside = prefix + (nested ? "text_model." : "");
        Shape words = shape(inside + "embeddings.token_embedding.weight");
        Shape places = shape(inside + "embeddings.position_embedding.weight");
        Shape inner = shape(inside + "encoder.layers.0.mlp.fc1.weight");
        int layers = count(inside + "encoder.layers.", ".layer_norm1.weight");
        weights.put("text_encoder" + suffix, OriginalKeys.clip(prefix, nested));
        textEncoder(suffix, words, places, inner, layers, null, false);
    }

    private void openClip(String suffix, String prefix, boolean projects)
            throws CheckpointException {
        Shape words = shape(prefix + "token_embedding.weight");
        Shape places = shape(prefix + "positional_embedding");
        Shape inner = shape(prefix + "transformer.resblocks.0.mlp.c_fc.weight");
        int layers = count(prefix + "transformer.resblocks.", ".ln_1.weight");
        if (!projects && words.size(1) == VIT_H_WIDTH) {
            layers = Math.min(layers, VIT_H_LAYERS);
        }
        weights.put("text_encoder" + suffix, OriginalKeys.openClip(prefix, layers));
        Long projected = projects ? shape(prefix + "text_projection").size(1) : null;
        textEncoder(suffix, words, places, inner, layers, projected, true);
    }

    private void textEncoder(
            String suffix,
            Shape words,
            Shape places,
            Shape inner,
            int layers,
            @Nullable Long projected,
            boolean open) {
        String name = projected == null ? "CLIPTextModel" : "CLIPTextModelWithProjection";
        ObjectNode json = object();
        json.putArray("architectures").add(name);
        json.put("model_type", "clip_text_model")
                .put("vocab_size", words.size(0))
                .put("hidden_size", words.size(1))
                .put("intermediate_size", inner.size(0))
                .put("num_hidden_layers", layers)
                .put("num_attention_heads", Math.max(1, words.size(1) / HEAD_WIDTH))
                .put("max_position_embeddings", places.size(0))
                .put("hidden_act", open ? "gelu" : "quick_gelu")
                .put("layer_norm_eps", 1e-5)
                .put("bos_token_id", 0)
                .put("eos_token_id", 2) // as in the published configs: the greatest id
                .put("pad_token_id", 1);
        if (projected != null) {
            json.put("projection_dim", projected);
        }
        part("text_encoder" + suffix, "transformers", name);
        config("text_encoder" + suffix, "config.json", json);
        part("tokenizer" + suffix, "transformers", "CLIPTokenizer");
        ClipFiles.of(open ? OPENCLIP_PADDING : OPENAI_PADDING)
                .forEach((file, text) -> files.put("tokenizer" + suffix + "/" + file, text));
    }

    private void unet(Predictions predictions) throws CheckpointException {
        List<Long> channels = new ArrayList<>();
        List<Boolean> attention = new ArrayList<>();
        List<Integer> depths = new ArrayList<>();
        int layers = 0;
        int inLevel = 0;
        for (int block = 1; ; block++) {
            String at = "input_blocks." + block + ".";
            if (header.tensors().containsKey(UNET + at + "0.out_layers.3.weight")) {
                if (inLevel == 0) {
                    channels.add(size(at + "0.out_layers.3.weight", 0));
                    int depth = count(UNET + at + "1.transformer_blocks.", ".norm1.weight");
                    attention.add(depth > 0);
                    depths.add(depth);
                }
                inLevel++;
                layers = Math.max(layers, inLevel);
            } else if (header.tensors().containsKey(UNET + at + "0.op.weight")) {
                inLevel = 0;
            } else {
                break;
            }
        }
        int middle = count(UNET + "middle_block.1.transformer_blocks.", ".norm1.weight");
        String projection = "middle_block.1.proj_in.weight";
        boolean linear = shape(UNET + projection).rank() == 2;
        int levels = channels.size();
        ObjectNode json = object();
        json.put("_class_name", "UNet2DConditionModel")
                .put("in_channels", size("input_blocks.0.0.weight", 1))
                .put("out_channels", size("out.2.weight", 0))
                .put("sample_size", sampleSize(predictions))
                .put("layers_per_block", layers)
                .put("norm_num_groups", 32)
                .put("use_linear_projection", linear)
                .put(
                        "cross_attention_dim",
                        size("middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1));
        ArrayNode sizes = json.putArray("block_out_channels");
        ArrayNode heads = json.putArray("attention_head_dim");
        ArrayNode depth = json.putArray("transformer_layers_per_block");
        ArrayNode down = json.putArray("down_block_types");
        ArrayNode up = json.putArray("up_block_types");
        for (int level = 0; level < levels; level++) {
            sizes.add(channels.get(level));
            heads.add(linear ? Math.max(1, channels.get(level) / HEAD_WIDTH) : FIRST_HEADS);
            // A last level without attention says how deep the middle is.
            int without = level == levels - 1 ? middle : 1;
            depth.add(attention.get(level) ? depths.get(level) : without);
            down.add(attention.get(level) ? "CrossAttnDownBlock2D" : "DownBlock2D");
            up.add(attention.get(levels - 1 - level) ? "CrossAttnUpBlock2D" : "UpBlock2D");
        }
        if (kind.isXl()) {
            json.put("addition_embed_type", "text_time")
                    .put("addition_time_embed_dim", 256)
                    .put("projection_class_embeddings_input_dim", size("label_emb.0.0.weight", 1));
        }
        part("unet", "diffusers", "UNet2DConditionModel");
        config("unet", "config.json", json);
        weights.put("unet", OriginalKeys.unet(UNET, layers, attention));
    }

    /**
     * Rows and columns of the latents that the family was trained with: those of 512 pixels, of
     * Stable Diffusion 2 that predicts velocities 768, of XL 1024.
     */
    private int sampleSize(Predictions predictions) {
        return switch (kind) {
            case FIRST -> 64;
            case SECOND -> predictions.isOfVelocities() && !inpaints() ? 96 : 64;
            case XL, REFINER -> 128;
        };
    }

    private void vae() throws CheckpointException {
        int levels = count(VAE_ENCODER, ".block.0.conv1.weight");
        int layers = count(VAE_ENCODER + "0.block.", ".conv1.weight");
        ObjectNode json = object();
        json.put("_class_name", "AutoencoderKL")
                .put("in_channels", shape(VAE + "encoder.conv_in.weight").size(1))
                .put("out_channels", shape(VAE + "decoder.conv_out.weight").size(0))
                .put("latent_channels", shape(VAE + "decoder.conv_in.weight").size(1))
                .put("layers_per_block", layers)
                .put("norm_num_groups", 32)
                .put("force_upcast", true)
                .put("scaling_factor", kind.isXl() ? 0.13025 : 0.18215);
        ArrayNode sizes = json.putArray("block_out_channels");
        ArrayNode down = json.putArray("down_block_types");
        ArrayNode up = json.putArray("up_block_types");
        for (int level = 0; level < levels; level++) {
            sizes.add(shape(VAE_ENCODER + level + ".block.0.conv1.weight").size(0));
            down.add("DownEncoderBlock2D");
            up.add("UpDecoderBlock2D");
        }
        part("vae", "diffusers", "AutoencoderKL");
        config("vae", "config.json", json);
        weights.put("vae", OriginalKeys.autoencoder(VAE, levels, layers));
    }

    /** The schedulers that the families were published with. */
    private void scheduler(Predictions predictions) {
        String name =
                switch (kind) {
                    case FIRST -> inpaints() ? "DDIMScheduler" : "PNDMScheduler";
                    case SECOND -> "DDIMScheduler";
                    case XL, REFINER -> "EulerDiscreteScheduler";
                };
        ObjectNode json =
                object().put("_class_name", name)
                        .put("beta_start", 0.00085)
                        .put("beta_end", 0.012)
                        .put("beta_schedule", "scaled_linear")
                        .put("num_train_timesteps", 1000)
                        .put("prediction_type", predictions.type())
                        .put("steps_offset", 1)
                        .put("timestep_spacing", predictions.zeroSnr() ? "trailing" : "leading");
        json.put("set_alpha_to_one", false).put("skip_prk_steps", true).put("clip_sample", false);
        if (kind.isXl()) {
            json.put("interpolation_type", "linear").put("use_karras_sigmas", false);
        }
        if (predictions.zeroSnr()) {
            json.put("rescale_betas_zero_snr", true);
        }
        part("scheduler", "diffusers", name);
        config("scheduler", "scheduler_config.json", json);
    }

    // ---- Names and shapes ----

    private static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** Returns how many numbers from 0 on stand between two parts of a name. */
    private int count(String before, String after) {
        int count = 0;
        while (header.tensors().containsKey(before + count + after)) {
            count++;
        }
        return count;
    }

    private long size(String key, int dim) throws CheckpointException {
        Shape shape = shape(UNET + key);
        if (shape.rank() <= dim) {
            throw new CheckpointException(
                    header.file() + ": " + UNET + key + " can't have the shape " + shape);
        }
        return shape.size(dim);
    }

    private Shape shape(String key) throws CheckpointException {
        var tensor = header.tensors().get(key);
        if (tensor == null) {
            throw new CheckpointException(header.file() + " has no tensor " + key);
        }
        return tensor.shape();
    }
}
