"""Writes empty_prompt.safetensors beside this file: what diffusers 0.35.2 makes of the empty prompt, with the model
and otherwise the call of the case `pixart_alpha`.

    python tests/oracle/empty_prompt.py
"""
import json
import os

import numpy as np
import torch
from diffusers import PixArtAlphaPipeline
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
here = os.path.dirname(os.path.abspath(__file__))
case = f"{here}/../cases/pixart_alpha"
call = json.load(open(f"{case}/case.json"))
pipe = PixArtAlphaPipeline.from_pretrained(f"{case}/model")
pipe.set_progress_bar_config(disable=True)
start = load_file(f"{case}/expected.safetensors")["latents_init"]
tensors = {"latents_init": start.clone()}


def keep(step, timestep, latents):
    tensors[f"latents_{step:02d}"] = latents.clone()


image = pipe("", negative_prompt=call["negative_prompt"], num_inference_steps=call["steps"],
             guidance_scale=call["guidance_scale"], height=call["height"], width=call["width"],
             max_sequence_length=call["max_sequence_length"], use_resolution_binning=False, clean_caption=False,
             latents=start, output_type="np", callback=keep, callback_steps=1).images
tensors["image"] = torch.from_numpy(np.asarray(image)).contiguous()
save_file(tensors, f"{here}/empty_prompt.safetensors")
print({k: tuple(v.shape) for k, v in tensors.items()})
