"""Writes the golden tensors that the tests of U-Nets, ControlNets and CLIP encoders compare with.

    python unet.py OUT

OUT is a safetensors file. Run with diffusers 0.35.2, transformers 4.57.1 and torch 2.13.0 on the CPU. The weights of
the small models come from a formula, which `Golden.formula` has too.
"""

import sys

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from formula import made

torch.set_grad_enabled(False)
torch.set_num_threads(1)
golden = {}


def record(name, **tensors):
    for key, tensor in tensors.items():
        golden[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def unet(name, size, text, added=None, w=None, labels=None, **options):
    model = made(UNet2DConditionModel(norm_num_groups=2, sample_size=8, **options))
    latents = torch.randn(2, model.config.in_channels, *size)
    text = torch.randn(2, text, model.config.cross_attention_dim)
    timestep = torch.tensor([981, 20])
    record(name, latents=latents, text=text, timestep=timestep, output=model(
        latents, timestep, text, class_labels=labels, timestep_cond=w, added_cond_kwargs=added).sample)


torch.manual_seed(1)  # odd sizes, a convolution before the transformers, no attention in one level
unet("plain", (5, 7), 6, in_channels=5, out_channels=4, block_out_channels=(4, 4, 6), layers_per_block=1,
     down_block_types=("CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
     up_block_types=("UpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=6, attention_head_dim=2)

torch.manual_seed(2)  # every other option
pooled, sizes = torch.randn(2, 6), torch.tensor([[64.0, 48, 0, 8, 32, 48], [16, 16, 2, 0, 48, 32]])
w, labels = torch.tensor([6.5, 0.0]), torch.tensor([3, 0])
record("full", pooled=pooled, sizes=sizes, guidance=w, labels=labels)
half = torch.exp(torch.arange(4, dtype=torch.float32) * -(torch.log(torch.tensor(10000.0)) / 3))
waves = w[:, None] * 1000 * half
unet("full", (4, 6), 5, {"text_embeds": pooled, "time_ids": sizes}, torch.cat([waves.sin(), waves.cos()], 1), labels,
     block_out_channels=(4, 8), layers_per_block=1, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
     up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=6, attention_head_dim=(2, 4),
     transformer_layers_per_block=(1, 2), only_cross_attention=(False, True), use_linear_projection=True,
     num_class_embeds=5, addition_embed_type="text_time", addition_time_embed_dim=4,
     projection_class_embeddings_input_dim=30, time_cond_proj_dim=8)

torch.manual_seed(3)  # blocks left out, as in SSD-1B and BK-SDM: other depths for each layer, less in the middle
small = dict(block_out_channels=(4, 6), layers_per_block=2, cross_attention_dim=6, attention_head_dim=2)
types = dict(down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"))
unet("uneven", (4, 6), 5, **small, **types, transformer_layers_per_block=(1, (2, 1)),
     reverse_transformer_layers_per_block=((1, 3, 2), 1))
unet("residual", (4, 6), 5, **small, **types, mid_block_type="UNetMidBlock2D")
unet("hollow", (4, 6), 5, **small, **types, mid_block_type=None)

ids = torch.tensor([[22, 5, 9, 23, 23, 23], [22, 7, 3, 8, 21, 23]])
mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
tiny = dict(vocab_size=24, hidden_size=12, intermediate_size=20, num_hidden_layers=3, num_attention_heads=3,
            max_position_embeddings=8)
for name, kind, options in (
        ("clip", CLIPTextModel, dict(hidden_act="quick_gelu", eos_token_id=2)),
        ("clip_projected", CLIPTextModelWithProjection, dict(hidden_act="gelu", eos_token_id=21, projection_dim=7))):
    model = made(kind(CLIPTextConfig(**tiny, **options)))
    out = model(ids, output_hidden_states=True)
    masked = model(ids, attention_mask=mask).last_hidden_state
    pooled = out.text_embeds if kind is CLIPTextModelWithProjection else out.pooler_output
    final = model.text_model.final_layer_norm
    record(name, ids=ids, mask=mask, last=out.last_hidden_state, masked=masked, pooled=pooled,
           penultimate=out.hidden_states[-2], embeddings=out.hidden_states[0],
           skipped_normed=final(out.hidden_states[-3]))

torch.manual_seed(3)  # a ControlNet that is conditioned on sizes, with the condition of "full"
net = made(ControlNetModel(
    norm_num_groups=2, block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=6, attention_head_dim=(2, 4),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), transformer_layers_per_block=(1, 2),
    only_cross_attention=(False, True), use_linear_projection=True, addition_embed_type="text_time",
    addition_time_embed_dim=4, projection_class_embeddings_input_dim=30, conditioning_embedding_out_channels=(4, 5, 6)))
picture = torch.rand(1, 3, 16, 24)
added = {"text_embeds": golden["full.pooled"], "time_ids": golden["full.sizes"]}
skips, middle = net(golden["full.latents"], golden["full.timestep"], golden["full.text"], picture, 1.0,
                    added_cond_kwargs=added, return_dict=False)
record("control", picture=picture, middle=middle, **{f"skip_{i}": skip for i, skip in enumerate(skips)})

save_file(golden, sys.argv[1])
