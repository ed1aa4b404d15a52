"""Writes what diffusers 0.35.2 does about sizes, into models/src/test/resources/dev/darkroom/models/pipeline:

    python tests/oracle/make_resolution_bins.py

resolution-bins.csv: 200 sizes and those that they are moved to. Columns: sample size, height and width asked for,
height and width chosen.
covers.csv: 400 sizes, and what a picture of the chosen size is scaled to and then cut to (which is not
what was asked for where a truncated product is one too small). Columns: sample size, height and width asked for, scaled, cut.
"""
import os
import random

import torch
from diffusers.image_processor import PixArtImageProcessor
from diffusers.pipelines.pixart_alpha.pipeline_pixart_alpha import (
    ASPECT_RATIO_256_BIN,
    ASPECT_RATIO_512_BIN,
    ASPECT_RATIO_1024_BIN,
)
from diffusers.pipelines.pixart_alpha.pipeline_pixart_sigma import ASPECT_RATIO_2048_BIN

BINS = {32: ASPECT_RATIO_256_BIN, 64: ASPECT_RATIO_512_BIN, 128: ASPECT_RATIO_1024_BIN, 256: ASPECT_RATIO_2048_BIN}
OUT = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../models/src/test/resources/dev/darkroom/models/pipeline"
)


def chosen(sample_size, height, width):
    return PixArtImageProcessor.classify_height_width_bin(height, width, ratios=BINS[sample_size])


def cover(sample_size, height, width):
    """One channel without numbers: only the sizes are looked at."""
    scaled = []
    interpolate = torch.nn.functional.interpolate

    def spy(x, size, **options):
        scaled.append(size)
        return torch.empty(1, device="meta").expand(1, 1, *size)

    torch.nn.functional.interpolate = spy
    try:
        image = torch.empty(1, device="meta").expand(1, 1, *chosen(sample_size, height, width))
        cut = PixArtImageProcessor.resize_and_crop_tensor(image, width, height)
    finally:
        torch.nn.functional.interpolate = interpolate
    return (*(scaled or [tuple(cut.shape[2:])])[0], *cut.shape[2:])


rng = random.Random(1)
with open(f"{OUT}/resolution-bins.csv", "w") as file:
    for i in range(200):
        sample_size = list(BINS)[i % 4]
        height, width = 8 * rng.randint(1, 512), 8 * rng.randint(1, 512)
        print(sample_size, height, width, *chosen(sample_size, height, width), sep=",", file=file)
with open(f"{OUT}/covers.csv", "w") as file:
    for i in range(400):
        sample_size = list(BINS)[i % 4]
        height, width = rng.randint(64, 2048), rng.randint(64, 2048)
        print(sample_size, height, width, *cover(sample_size, height, width), sep=",", file=file)
    print(64, 480, 640, *cover(64, 480, 640), sep=",", file=file)
    print(128, 480, 640, *cover(128, 480, 640), sep=",", file=file)
