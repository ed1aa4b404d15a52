"""Writes the golden tensors that the autoencoder's tests compare with.

    python vae.py OUT [FOLDER...]

OUT is a safetensors file. Run with diffusers 0.35.2 and torch 2.13.0 on the CPU. The small models made
here bring their weights along, under "NAME.weights.", and their configs, in the file's metadata; models in
given FOLDERs do not. For each model: images, the distribution that they are encoded to and a draw from it,
latents, and what they are decoded to.
"""

import json
import sys

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.manual_seed(11)
golden, configs = {}, {}
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def record(name, vae, height=12, width=8):
    def put(**tensors):
        golden.update({f"{name}.{k}": t.clone().contiguous() for k, t in tensors.items()})

    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    images = torch.rand(2, vae.config.in_channels, height * scale, width * scale) * 2 - 1
    posterior = vae.encode(images).latent_dist
    latents = torch.randn(2, vae.config.latent_channels, height, width)
    put(images=images, mean=posterior.mean, logvar=posterior.logvar, kl=posterior.kl())
    put(sample=posterior.sample(torch.Generator().manual_seed(5)))
    put(latents=latents, decoded=vae.decode(latents).sample)


def small(name, config, old_names=False):
    vae = AutoencoderKL.from_config(config).eval()
    for key, tensor in vae.state_dict().items():
        if "norm" in key:
            tensor.copy_(torch.rand(tensor.shape) + (0.5 if key.endswith("weight") else -0.5))
    # So that some log variances are outside of what they are limited to.
    last = vae.quant_conv if vae.quant_conv is not None else vae.encoder.conv_out
    last.weight.mul_(30)
    record(name, vae, 5, 4)
    for key, tensor in vae.state_dict().items():
        for new, old in OLD_NAMES.items() if old_names else ():
            key = key.replace(new, old) if ".attentions." in key else key
        golden[f"{name}.weights.{key}"] = tensor
    configs[name] = json.dumps(config)


small(
    "attention_in_levels",
    {
        "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        "block_out_channels": [8, 16],
        "layers_per_block": 2,
        "norm_num_groups": 4,
        "act_fn": "relu",
    },
)
small(
    "bare",
    {
        "in_channels": 1,
        "out_channels": 2,
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "block_out_channels": [8, 4, 12],
        "latent_channels": 3,
        "norm_num_groups": 2,
        "act_fn": "mish",
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "mid_block_add_attention": False,
    },
)
small("old_names", {"block_out_channels": [8], "norm_num_groups": 2}, old_names=True)

out, *folders = sys.argv[1:]
for folder in folders:
    record(folder, AutoencoderKL.from_pretrained(folder).eval())
save_file(golden, out, metadata=configs)
