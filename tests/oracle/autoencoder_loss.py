"""Writes the golden tensors of AutoencoderLossTest: an autoencoder's loss and its gradients.

    python autoencoder_loss.py OUT

OUT is tests/oracle/autoencoder_loss.safetensors. Run with diffusers 0.35.2 and torch 2.13.0 on the CPU. The model's
weights are under "weights.", gradients under "gradients.", the config is in the file's metadata.
"""

import json
import sys

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(7)
CONFIG = dict(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[4, 8], layers_per_block=1, norm_num_groups=2,
              down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, mid_block_add_attention=False)
GRADIENTS = ["encoder.conv_in.weight", "encoder.conv_out.weight", "quant_conv.bias", "decoder.conv_in.weight", "decoder.conv_norm_out.weight",
             "decoder.conv_out.bias", "encoder.mid_block.resnets.0.conv1.weight"]

vae = AutoencoderKL.from_config(CONFIG)
golden = {f"weights.{k}": v.clone() for k, v in vae.state_dict().items()}
images = torch.rand(2, 3, 8, 12) * 2 - 1
posterior = vae.encode(images).latent_dist
decoded = vae.decode(posterior.sample(torch.Generator().manual_seed(5))).sample
d = decoded - images
terms = {
    "l1": d.abs().mean(),
    "l2": d.pow(2).mean(),
    "gradient": d.diff(dim=2).abs().mean() + d.diff(dim=3).abs().mean(),
    "kl": posterior.kl().mean() / posterior.mean[0].numel(),
}
weights = {"l1": 1.0, "l2": 0.7, "gradient": 0.5, "kl": 0.3}
loss = sum(weights[k] * terms[k] for k in terms)
loss.backward()
parameters = dict(vae.named_parameters())
golden |= {f"gradients.{k}": parameters[k].grad.clone() for k in GRADIENTS}
z2 = posterior.mean.double() ** 2 + posterior.logvar.double().exp()
shift = posterior.mean.double().mean()
golden |= {"images": images, "loss": loss.detach(), "shift": shift.detach(), "scale": (z2.mean() - shift**2).rsqrt().detach()}
save_file({k: v.contiguous() for k, v in golden.items()}, sys.argv[1], metadata={"config": json.dumps(CONFIG)})
print(loss.item(), {k: v.item() for k, v in terms.items()})
