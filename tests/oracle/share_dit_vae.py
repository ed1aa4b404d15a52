"""Gives the reference case `dit` the autoencoder of `pixart_alpha`, and its picture by it, as diffusers computes it.

    python share_dit_vae.py tests/cases

The picture with the autoencoder that the case came with has to come out first: it shows that the call is the same.
"""
import json
import os
import sys

import diffusers.pipelines.dit.pipeline_dit as dit
import torch
from diffusers import DiTPipeline
from safetensors.torch import load_file, save_file

cases = sys.argv[1]
torch.set_grad_enabled(False)
case = json.load(open(f"{cases}/dit/case.json"))
expected = load_file(f"{cases}/dit/expected.safetensors")
dit.randn_tensor = lambda *_, **__: expected["latents_init"].clone()


def image():
    pipeline = DiTPipeline.from_pretrained(f"{cases}/dit/model")
    output = pipeline(case["class_labels"], case["guidance_scale"], num_inference_steps=case["steps"], output_type="np")
    return torch.from_numpy(output.images).contiguous()


assert (image() - expected["image"]).abs().max() < 1e-5
for file in ("config.json", "diffusion_pytorch_model.safetensors"):
    os.remove(f"{cases}/dit/model/vae/{file}")
    os.symlink(f"../../../pixart_alpha/model/vae/{file}", f"{cases}/dit/model/vae/{file}")
expected["image"] = image()
save_file(expected, f"{cases}/dit/expected.safetensors")
