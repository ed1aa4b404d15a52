package dev.darkroom.models.family.sd;

import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.checkpoint.KeyMap.Form;
import dev.darkroom.models.checkpoint.KeyMap.Original;

import java.util.List;
import java.util.Map;

/**
 * How the files of Stable Diffusion's authors call the tensors of its networks: the U-Net and the
 * autoencoder of latent diffusion (Rombach et al. 2022), CLIP's text encoder, OpenCLIP's.
 */
final class OriginalKeys {
    private static final Map<String, Original> UNET_RESNET =
            Map.of(
                    "norm1", same("in_layers.0"),
                    "conv1", same("in_layers.2"),
                    "time_emb_proj", same("emb_layers.1"),
                    "norm2", same("out_layers.0"),
                    "conv2", same("out_layers.3"),
                    "conv_shortcut", same("skip_connection"));

    private static final Map<String, Original> VAE_RESNET =
            Map.of("conv_shortcut", same("nin_shortcut"));

    private static final Map<String, Original> VAE_ATTENTION =
            Map.of(
                    "group_norm", same("norm"),
                    "to_q.weight", new Original("q.weight", Form.CONVOLUTION),
                    "to_q.bias", same("q.bias"),
                    "to_k.weight", new Original("k.weight", Form.CONVOLUTION),
                    "to_k.bias", same("k.bias"),
                    "to_v.weight", new Original("v.weight", Form.CONVOLUTION),
                    "to_v.bias", same("v.bias"),
                    "to_out.0.weight", new Original("proj_out.weight", Form.CONVOLUTION),
                    "to_out.0.bias", same("proj_out.bias"));

    private static final Map<String, Original> OPEN_CLIP_LAYER =
            Map.ofEntries(
                    Map.entry("layer_norm1", same("ln_1")),
                    Map.entry("layer_norm2", same("ln_2")),
                    Map.entry("mlp.fc1", same("mlp.c_fc")),
                    Map.entry("mlp.fc2", same("mlp.c_proj")),
                    Map.entry("self_attn.out_proj", same("attn.out_proj")),
                    Map.entry("self_attn.q_proj.weight", joined("weight", Form.FIRST)),
                    Map.entry("self_attn.k_proj.weight", joined("weight", Form.SECOND)),
                    Map.entry("self_attn.v_proj.weight", joined("weight", Form.THIRD)),
                    Map.entry("self_attn.q_proj.bias", joined("bias", Form.FIRST)),
                    Map.entry("self_attn.k_proj.bias", joined("bias", Form.SECOND)),
                    Map.entry("self_attn.v_proj.bias", joined("bias", Form.THIRD)));

    private OriginalKeys() {}

    private static Original same(String key) {
        return new Original(key, Form.SAME);
    }

    private static Original joined(String parameter, Form form) {
        return new Original("attn.in_proj_" + parameter, form);
    }

    /**
     * The U-Net, whose blocks are numbered on from level to level.
     *
     * @param layers residual blocks in a level on the way down
     * @param attention whether each level, from the latents' down, attends to the text
     */
    static KeyMap unet(String prefix, int layers, List<Boolean> attention) {
        KeyMap map =
                new KeyMap(prefix)
                        .rename("time_embedding.linear_1", "time_embed.0")
                        .rename("time_embedding.linear_2", "time_embed.2")
                        .rename("add_embedding.linear_1", "label_emb.0.0")
                        .rename("add_embedding.linear_2", "label_emb.0.2")
                        .rename("class_embedding", "label_emb")
                        .rename("conv_in", "input_blocks.0.0")
                        .rename("mid_block.resnets.0", "middle_block.0", UNET_RESNET)
                        .rename("mid_block.attentions.0", "middle_block.1")
                        .rename("mid_block.resnets.1", "middle_block.2", UNET_RESNET)
                        .rename("conv_norm_out", "out.0")
                        .rename("conv_out", "out.2");
        int levels = attention.size();
        for (int level = 0, block = 1; level < levels; level++, block++) {
            String down = "down_blocks." + level;
            for (int i = 0; i < layers; i++, block++) {
                map.rename(down + ".resnets." + i, "input_blocks." + block + ".0", UNET_RESNET);
                map.rename(down + ".attentions." + i, "input_blocks." + block + ".1");
            }
            map.rename(down + ".downsamplers.0.conv", "input_blocks." + block + ".0.op");
        }
        for (int level = 0, block = 0; level < levels; level++) {
            String up = "up_blocks." + level;
            boolean attends = attention.get(levels - 1 - level);
            for (int i = 0; i <= layers; i++, block++) {
                map.rename(up + ".resnets." + i, "output_blocks." + block + ".0", UNET_RESNET);
                map.rename(up + ".attentions." + i, "output_blocks." + block + ".1");
            }
            map.rename(
                    up + ".upsamplers.0", "output_blocks." + (block - 1) + (attends ? ".2" : ".1"));
        }
        return map;
    }

    /**
     * A ControlNet: the way down of a U-Net, and what is its own.
     *
     * @param widths how many widths the convolutions of its picture have
     */
    static KeyMap controlNet(String prefix, int layers, List<Boolean> attention, int widths) {
        String picture = "controlnet_cond_embedding.";
        String hint = "input_hint_block.";
        KeyMap map =
                unet(prefix, layers, attention)
                        .rename("controlnet_mid_block", "middle_block_out.0")
                        .rename(picture + "conv_in", hint + 0)
                        .rename(picture + "conv_out", hint + (4 * widths - 2));
        for (int i = 0; i < 2 * (widths - 1); i++) {
            map.rename(picture + "blocks." + i, hint + (2 * i + 2));
        }
        for (int i = 0; i < attention.size() * (layers + 1); i++) {
            map.rename("controlnet_down_blocks." + i, "zero_convs." + i + ".0");
        }
        return map;
    }

    /**
     * The autoencoder, whose decoder counts its levels from the picture's on.
     *
     * @param layers residual blocks in a level of the encoder
     */
    static KeyMap autoencoder(String prefix, int levels, int layers) {
        KeyMap map = new KeyMap(prefix);
        for (String half : List.of("encoder", "decoder")) {
            String middle = half + ".mid_block.";
            map.rename(middle + "resnets.0", half + ".mid.block_1", VAE_RESNET)
                    .rename(middle + "attentions.0", half + ".mid.attn_1", VAE_ATTENTION)
                    .rename(middle + "resnets.1", half + ".mid.block_2", VAE_RESNET)
                    .rename(half + ".conv_norm_out", half + ".norm_out");
        }
        for (int level = 0; level < levels; level++) {
            String down = "encoder.down_blocks." + level;
            String up = "decoder.up_blocks." + level;
            String downThere = "encoder.down." + level;
            String upThere = "decoder.up." + (levels - 1 - level);
            for (int i = 0; i <= layers; i++) {
                map.rename(down + ".resnets." + i, downThere + ".block." + i, VAE_RESNET);
                map.rename(up + ".resnets." + i, upThere + ".block." + i, VAE_RESNET);
            }
            map.rename(down + ".downsamplers.0", downThere + ".downsample");
            map.rename(up + ".upsamplers.0", upThere + ".upsample");
        }
        return map;
    }

    /**
     * CLIP's text encoder as transformers has it.
     *
     * @param nested whether it is below {@code text_model}, as at hubs
     */
    static KeyMap clip(String prefix, boolean nested) {
        KeyMap map = new KeyMap(prefix);
        return nested
                ? map
                : map.rename("text_model.embeddings", "embeddings")
                        .rename("text_model.encoder", "encoder")
                        .rename("text_model.final_layer_norm", "final_layer_norm");
    }

    /** OpenCLIP's text encoder, which joins the projections of attention. */
    static KeyMap openClip(String prefix, int layers) {
        KeyMap map =
                new KeyMap(prefix)
                        .rename("text_model.embeddings.token_embedding", "token_embedding")
                        .rename(
                                "text_model.embeddings.position_embedding.weight",
                                "positional_embedding")
                        .rename("text_model.final_layer_norm", "ln_final")
                        .store("text_projection.weight", "text_projection", Form.TRANSPOSED);
        for (int i = 0; i < layers; i++) {
            map.rename(
                    "text_model.encoder.layers." + i,
                    "transformer.resblocks." + i,
                    OPEN_CLIP_LAYER);
        }
        return map;
    }
}
