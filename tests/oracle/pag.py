"""Latents under perturbed-attention guidance of weight 3, with diffusers 0.35.2: oracle/guidance/pag.safetensors.

Run in tests/ as: python oracle/pag.py
"""
import json

from diffusers import PixArtSigmaPAGPipeline, PixArtSigmaPipeline, StableDiffusionPAGPipeline, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

CALLS = [  # case, layers as Darkroom and as diffusers names them, guidance scales
    ("sd15", "mid", "mid", ["7.5"]),
    ("sd15", "up_blocks", "up_blocks", ["7.5"]),
    ("pixart_sigma", "1", "blocks.1", ["3", "1"]),
]

latents = {}
for case, ours, theirs, scales in CALLS:
    call = json.load(open(f"cases/{case}/case.json"))
    start = load_file(f"cases/{case}/expected.safetensors")["latents_init"]
    options = {}
    if case == "sd15":
        plain = StableDiffusionPipeline.from_pretrained(f"cases/{case}/model", safety_checker=None)
        pipe = StableDiffusionPAGPipeline(**plain.components, pag_applied_layers=[theirs], requires_safety_checker=False)
    else:
        plain = PixArtSigmaPipeline.from_pretrained(f"cases/{case}/model")
        pipe = PixArtSigmaPAGPipeline(**plain.components, pag_applied_layers=[theirs])
        options = dict(max_sequence_length=call["max_sequence_length"], use_resolution_binning=False, clean_caption=False)
    for scale in scales:
        latents[f"{case} {ours} {scale}"] = pipe(
            call["prompt"], negative_prompt=call["negative_prompt"], num_inference_steps=call["steps"],
            guidance_scale=float(scale), pag_scale=3.0, height=call["height"], width=call["width"],
            latents=start.clone(), output_type="latent", **options).images.contiguous()
save_file(latents, "oracle/guidance/pag.safetensors")
