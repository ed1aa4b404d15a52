"""Writes the golden tensors that the tests of pixel U-Nets, their pipelines and tiny autoencoders compare with.

    python pixels.py OUT

OUT is a safetensors file. Run with diffusers 0.35.2 and torch 2.13.0 on the CPU. The weights of the small models come
from a formula, which `Golden.formula` has too.
"""

import sys

import torch
from diffusers import (AutoencoderTiny, CMStochasticIterativeScheduler, ConsistencyModelPipeline, DDPMPipeline,
                       DDPMScheduler, UNet2DModel)
from safetensors.torch import save_file

from formula import made

torch.set_grad_enabled(False)
torch.set_num_threads(1)
golden = {}


def record(name, **tensors):
    for key, tensor in tensors.items():
        golden[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def unet(name, size, labels=None, **options):
    model = made(UNet2DModel(norm_num_groups=2, sample_size=8, **options))
    x = torch.randn(2, model.config.in_channels, *size)
    timestep = torch.tensor([981, 20])
    record(name, x=x, timestep=timestep, output=model(x, timestep, class_labels=labels).sample)
    return model


torch.manual_seed(1)  # as DDPM: sines first, padding at two sides, one head
ddpm = unet("ddpm", (8, 12), layers_per_block=1, block_out_channels=(4, 6, 8), norm_eps=1e-6, attention_head_dim=None,
            flip_sin_to_cos=False, freq_shift=1, downsample_padding=0,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"))

torch.manual_seed(2)  # as ADM: scale and shift, residual blocks change the resolution, no norm in the middle
adm = unet("adm", (8, 8), torch.tensor([3, 0]), layers_per_block=2, block_out_channels=(4, 8), attention_head_dim=2,
           num_class_embeds=5, resnet_time_scale_shift="scale_shift", downsample_type="resnet",
           upsample_type="resnet", down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
           up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"))

torch.manual_seed(3)  # the rest: grey, a norm of its own in the middle, residual down, a convolution up
unet("rest", (8, 8), in_channels=1, out_channels=2, layers_per_block=1, block_out_channels=(4, 8),
     attention_head_dim=4, attn_norm_num_groups=4, resnet_time_scale_shift="scale_shift", downsample_type="resnet",
     center_input_sample=True, time_embedding_dim=10, down_block_types=("AttnDownBlock2D", "DownBlock2D"),
     up_block_types=("UpBlock2D", "AttnUpBlock2D"))

torch.manual_seed(4)  # no attention in the middle
unet("without", (4, 4), layers_per_block=1, block_out_channels=(4, 4), attention_head_dim=None, add_attention=False,
     down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"))


def images(pipeline, **call):
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    return torch.from_numpy(pipeline(generator=generator, output_type="np", **call).images)


record("ddpm", image=images(DDPMPipeline(ddpm, DDPMScheduler(variance_type="fixed_large")), batch_size=2,
                            num_inference_steps=3))
consistency = ConsistencyModelPipeline(adm, CMStochasticIterativeScheduler())
classes = dict(batch_size=2, class_labels=[3, 1])
record("adm", image=images(consistency, num_inference_steps=2, **classes),
       given=images(consistency, num_inference_steps=None, timesteps=[22, 0], **classes))

torch.manual_seed(5)
tiny = made(AutoencoderTiny(encoder_block_out_channels=(4, 4, 4), num_encoder_blocks=(1, 2, 1),
                            decoder_block_out_channels=(6, 6, 6), num_decoder_blocks=(2, 1, 1)))
picture, latents = torch.rand(2, 3, 12, 8) * 2 - 1, torch.randn(2, 4, 3, 2) * 2
record("tiny", picture=picture, encoded=tiny.encode(picture).latents, latents=latents,
       decoded=tiny.decode(latents).sample)

save_file(golden, sys.argv[1])
