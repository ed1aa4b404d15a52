"""Pictures as diffusers' VaeImageProcessor scales and cuts them, for ImageTest.

    python resize.py resize.safetensors

Needs diffusers and Pillow; README of the cases says which. Pillow scales rows first, but 13.0.0 columns where a
picture gets wider and lower: no such size is here.
"""
import sys

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from safetensors.torch import save_file

y, x, c = np.meshgrid(np.arange(9), np.arange(13), np.arange(3), indexing="ij")
picture = Image.fromarray(((37 * x + 91 * y + 53 * c + 7 * x * y) % 256).astype(np.uint8))
expected = {}
for width, height in (12, 8), (8, 8), (24, 16), (32, 48), (13, 9), (16, 9):
    for filter in "lanczos", "bicubic":
        for mode in "crop", "default":
            processor = VaeImageProcessor(vae_scale_factor=1, resample=filter)
            made = processor.resize(picture, height, width, resize_mode=mode)
            bytes_ = torch.from_numpy(np.array(made)).permute(2, 0, 1)[None]
            expected[f"{filter}_{mode}_{width}x{height}"] = bytes_.contiguous()
save_file(expected, sys.argv[1])
