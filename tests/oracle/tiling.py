"""Writes what diffusers decodes in tiles, and whole, of the autoencoder of a case, and encodes in tiles again.

    python tiling.py CASES OUT

CASES is tests/cases, OUT a safetensors file. Run with diffusers 0.35.2 and torch 2.13.0 on the CPU. "latents" are not
scaled; tiles have 8 rows and columns of them.
"""

import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.manual_seed(12)

vae = AutoencoderKL.from_pretrained(Path(sys.argv[1]) / "pixart_alpha" / "model" / "vae").eval()
factor = 2 ** (len(vae.config.block_out_channels) - 1)
latents = torch.randn(1, vae.config.latent_channels, 13, 21)
whole = vae.decode(latents).sample
vae.tile_latent_min_size, vae.tile_sample_min_size = 8, 8 * factor
vae.enable_tiling()
tiled = vae.decode(latents).sample
print(f"factor {factor}, {tuple(tiled.shape)}, tiled and whole differ by at most {(tiled - whole).abs().max():.4f}")
encoded = vae.encode(whole).latent_dist.parameters  # of the picture, in tiles too
save_file({"latents": latents, "whole": whole, "tiled": tiled, "encoded": encoded}, sys.argv[2])
