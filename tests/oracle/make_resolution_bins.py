"""Writes 200 picture sizes and the sizes that diffusers 0.35.2 moves them to, for each sample size.

    python make_resolution_bins.py > models/src/test/resources/dev/darkroom/models/pipeline/resolution-bins.csv

Columns: sample size, height and width asked for, height and width chosen.
"""
import random

from diffusers.image_processor import PixArtImageProcessor
from diffusers.pipelines.pixart_alpha.pipeline_pixart_alpha import (
    ASPECT_RATIO_256_BIN,
    ASPECT_RATIO_512_BIN,
    ASPECT_RATIO_1024_BIN,
)
from diffusers.pipelines.pixart_alpha.pipeline_pixart_sigma import ASPECT_RATIO_2048_BIN

BINS = {32: ASPECT_RATIO_256_BIN, 64: ASPECT_RATIO_512_BIN, 128: ASPECT_RATIO_1024_BIN, 256: ASPECT_RATIO_2048_BIN}
rng = random.Random(1)
for i in range(200):
    sample_size = list(BINS)[i % 4]
    height, width = 8 * rng.randint(1, 512), 8 * rng.randint(1, 512)
    chosen = PixArtImageProcessor.classify_height_width_bin(height, width, ratios=BINS[sample_size])
    print(sample_size, height, width, *chosen, sep=",")
