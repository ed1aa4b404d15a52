"""Weights of small models by a formula, which `Golden.formula` has too."""

import numpy as np
import torch


def made(model):
    """Weights without a pattern, of which none is without influence: about even from -0.43 to 0.43, norms around 1."""
    for key, tensor in model.state_dict().items():
        i = np.arange(tensor.numel(), dtype=np.float64) + sum(key.encode())
        wild = np.sin(i * 12.9898) * 43758.5453
        values = (wild - np.floor(wild) - 0.5) * 0.866
        norm = 1.0 if "norm" in key and key.endswith("weight") else 0.0
        tensor.copy_(torch.from_numpy((values + norm).astype(np.float32)).reshape(tensor.shape))
    return model.eval()
