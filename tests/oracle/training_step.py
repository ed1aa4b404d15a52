"""One training step of a tiny PixArt, for TrainingStepTest in models.

    PYTHONPATH=... python tests/oracle/training_step.py
    (torch 2.13.0, diffusers 0.35.2, safetensors; writes training_step.safetensors beside)

Forward, the mean squared error of the predicted noise, the gradient of every parameter, and one step
of AdamW, in float32. AdamW's eps is large: a first step of lr * g / (|g| + eps) would otherwise turn the
rounding of gradients near 0 into steps of another sign. Weights are stored in bfloat16, which they are
exactly.
"""

from pathlib import Path

import torch
from diffusers import PixArtTransformer2DModel
from safetensors.torch import save_file

HERE = Path(__file__).parent
torch.manual_seed(3)
network = PixArtTransformer2DModel(
    num_attention_heads=2,
    attention_head_dim=8,
    cross_attention_dim=16,
    caption_channels=12,
    in_channels=4,
    out_channels=8,
    patch_size=2,
    sample_size=8,
    num_layers=2,
    use_additional_conditions=False,
)
with torch.no_grad():
    for key, parameter in network.named_parameters():
        scale = 1.0 if "table" in key else 0.25
        parameter.copy_((torch.randn(parameter.shape) * scale).bfloat16())
network.train()
config = network.config
generator = torch.Generator().manual_seed(7)
n = 3
size = config.sample_size
out = {
    "latents": torch.randn(n, config.in_channels, size, size, generator=generator),
    "noise": torch.randn(n, config.in_channels, size, size, generator=generator),
    "timestep": torch.tensor([11, 480, 951]),
    "embeds": torch.randn(n, 9, config.caption_channels, generator=generator),
    "mask": (torch.arange(9)[None] < torch.tensor([9, 4, 6])[:, None]).float(),
}
predicted = network(
    out["latents"],
    encoder_hidden_states=out["embeds"],
    encoder_attention_mask=out["mask"],
    timestep=out["timestep"],
    added_cond_kwargs={"resolution": None, "aspect_ratio": None},
).sample
loss = (predicted.chunk(2, 1)[0] - out["noise"]).square().mean()
loss.backward()
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01, eps=1e-2, fused=True)
out["predicted"] = predicted.detach()
out["loss"] = loss.detach()
for key, parameter in network.named_parameters():
    out[f"weights.{key}"] = parameter.detach().bfloat16()
optimizer.step()
for key, parameter in network.named_parameters():
    out[f"gradient.{key}"] = parameter.grad
    out[f"after.{key}"] = parameter.detach()
save_file({k: v.contiguous() for k, v in out.items()}, HERE / "training_step.safetensors")
