"""Writes the golden tensors of networks that are conditioned on a distilled guidance.

    python guidance.py OUT

OUT is a safetensors file. Run with diffusers 0.42.1 and torch 2.13.0 on the CPU.

"sinusoids": weights of guidance and their embeddings by diffusers' latent consistency pipeline. "timestep":
diffusers' TimestepEmbedding with a cond_proj. "pixart": diffusers' PixArt with such an embedding in it, which its
forward has no argument for. The latter two bring their weights along, under "NAME.weights.".
"""

import sys

import torch
from diffusers import LatentConsistencyModelPipeline, PixArtTransformer2DModel
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from safetensors.torch import save_file

torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.manual_seed(11)
golden = {}


def record(name, **tensors):
    for key, tensor in tensors.items():
        golden[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def randomised(name, model):
    for key, tensor in model.state_dict().items():
        tensor.copy_(torch.randn(tensor.shape) * (1.0 if "table" in key else 0.25))
    record(name, **{f"weights.{k}": v for k, v in model.state_dict().items()})
    return model.eval()


def embedded(w, channels):
    return LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, w, embedding_dim=channels)


w = torch.tensor([0.0, 0.25, 3.5, 6.5, 7.0, 13.0, 14.75])
record("sinusoids", w=w, embedding=embedded(w, 256))

w, t = torch.tensor([0.5, 2.0, 3.0]), torch.tensor([999, 19, 0])
embedding = randomised("timestep", TimestepEmbedding(256, 24, cond_proj_dim=32))
waves = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)(t)
record("timestep", w=w, t=t, output=embedding(waves, embedded(w, 32)))

w, t = torch.tensor([2.0, 0.5]), torch.tensor([999, 412])
model = PixArtTransformer2DModel(
    num_attention_heads=2, attention_head_dim=8, out_channels=4, num_layers=2, cross_attention_dim=16,
    sample_size=8, caption_channels=12, use_additional_conditions=False)
embedder = TimestepEmbedding(256, 16, cond_proj_dim=32)
model.adaln_single.emb.timestep_embedder = embedder
model = randomised("pixart", model)
condition = embedded(w, 32)
forward = embedder.forward
embedder.forward = lambda sample: forward(sample, condition)
latents, embeds = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 12)
mask = (torch.arange(5)[None] < torch.tensor([[5], [2]])).long()
none = {"resolution": None, "aspect_ratio": None}
output = model(latents, embeds, t, none, encoder_attention_mask=mask).sample
record("pixart", w=w, timestep=t, latents=latents, embeds=embeds, mask=mask, output=output)

save_file(golden, sys.argv[1])
