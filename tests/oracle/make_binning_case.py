"""Makes the reference case `pixart_binning`: PixArt with resolution binning on, as diffusers 0.35.2 computes it.

    python make_binning_case.py tests/cases/pixart_lcm tests/cases/pixart_binning

The network is that of the case it starts from, with a `sample_size` that diffusers knows sizes for (its position
table is computed, so no weight changes). The autoencoder has a pixel of latents for 8 x 8 of the picture, as those that are
published; all other files are links to that case's. A request of 40 x 72 pixels is sampled at the nearest trained size,
and the picture scaled and cropped back.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, PixArtAlphaPipeline
from safetensors.torch import save_file

source, out = sys.argv[1:]
torch.set_grad_enabled(False)
shutil.rmtree(out, ignore_errors=True)
for folder, _, files in os.walk(f"{source}/model"):
    copy = os.path.join(out, os.path.relpath(folder, source))
    os.makedirs(copy)
    for file in files:
        os.symlink(os.path.relpath(os.path.realpath(f"{folder}/{file}"), copy), f"{copy}/{file}")
path = f"{out}/model/transformer/config.json"
config = json.load(open(path))
config["sample_size"] = 32
os.remove(path)
json.dump(config, open(path, "w"), indent=2)
vae = f"{out}/model/vae"
shutil.rmtree(vae)
torch.manual_seed(5)
model = AutoencoderKL(
    down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, block_out_channels=[4, 4, 6, 8],
    norm_num_groups=2)
for key, tensor in model.state_dict().items():
    scale = (1.7 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
    tensor.copy_(torch.randn(tensor.shape) * scale + (1.0 if "norm" in key and key.endswith("weight") else 0.0))
model.save_pretrained(vae)

pipe = PixArtAlphaPipeline.from_pretrained(f"{out}/model")
pipe.set_progress_bar_config(disable=True)
call = dict(prompt="two cats in a box", negative_prompt="", steps=1, guidance_scale=1.0, height=40, width=72,
            max_sequence_length=24, use_resolution_binning=True, clean_caption=False)
height, width = 192, 336  # what the nearest of the trained sizes is
factor = pipe.vae_scale_factor
start = torch.randn(1, 4, height // factor, width // factor, generator=torch.Generator().manual_seed(3))
tensors = {"latents_init": start.clone()}


def keep(step, timestep, latents):
    tensors[f"latents_{step:02d}"] = latents.clone()
    tensors["timesteps"] = torch.tensor([float(timestep)])


image = pipe(call["prompt"], num_inference_steps=call["steps"], latents=start, output_type="np", callback=keep,
             callback_steps=1, generator=torch.Generator().manual_seed(7),
             **{k: v for k, v in call.items() if k not in ("prompt", "steps")}).images
tensors["image"] = torch.from_numpy(np.asarray(image)).contiguous()
save_file(tensors, f"{out}/expected.safetensors")
json.dump({"pipeline": "PixArtAlphaPipeline", "note": "made by tests/oracle/make_binning_case.py", **call},
          open(f"{out}/case.json", "w"), indent=1)
print({k: tuple(v.shape) for k, v in tensors.items()})
