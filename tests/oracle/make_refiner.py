"""The refiner of Stable Diffusion XL by diffusers, on parts of the case sdxl: its second text encoder alone, and its U-Net with
fewer columns where texts and numbers come in, as RefinerTest makes it too.

    python make_refiner.py ../cases/sdxl/model refiner.safetensors

Needs torch, diffusers and transformers; README of the cases says which.
"""
import sys

import torch
from diffusers import (StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from safetensors.torch import save_file

model, out = sys.argv[1:]
torch.set_grad_enabled(False)
parts = StableDiffusionXLPipeline.from_pretrained(model).components
encoder, base = parts["text_encoder_2"], parts["unet"]
width, numbers = encoder.config.hidden_size, 5
inputs = encoder.config.projection_dim + numbers * base.config.addition_time_embed_dim
unet = UNet2DConditionModel.from_config(
    base.config, cross_attention_dim=width, projection_class_embeddings_input_dim=inputs)
unet.load_state_dict({k: v[:, :s.shape[1]] if v.dim() == 2 else v
                      for (k, v), s in zip(base.state_dict().items(), unet.state_dict().values())})
pipeline = StableDiffusionXLImg2ImgPipeline(
    vae=parts["vae"], text_encoder=None, tokenizer=None, text_encoder_2=encoder,
    tokenizer_2=parts["tokenizer_2"], unet=unet, scheduler=parts["scheduler"],
    requires_aesthetics_score=True, force_zeros_for_empty_prompt=False, add_watermarker=False)
pipeline.set_progress_bar_config(disable=True)
made = torch.Generator().manual_seed(12)
picture = torch.nn.functional.interpolate(
    torch.rand(1, 3, 4, 4, generator=made), size=(16, 24), mode="bicubic").clamp(0, 1)
latents = torch.randn(1, 4, 8, 12, generator=made)
text = dict(prompt="an astronaut riding a horse, oil painting", negative_prompt="blurry")
expected = {"input_image": picture, "refine.input_latents": latents}


def sample(prefix, **more):
    after = []
    result = pipeline(**text, **more, num_inference_steps=5, guidance_scale=5.0, output_type="np",
                      generator=torch.Generator().manual_seed(7),
                      callback_on_step_end=lambda p, i, t, k: after.append(k["latents"].clone()) or {})
    expected.update({f"{prefix}latents_{i:02d}": x for i, x in enumerate(after)})
    expected[prefix + "image"] = torch.from_numpy(result.images)


sample("", image=picture, strength=0.6)
sample("refine.", image=latents, denoising_start=0.5, original_size=(64, 48), target_size=(16, 24),
       crops_coords_top_left=(4, 8))
prompt, negative, pooled, negative_pooled = pipeline.encode_prompt(**text, device="cpu")
expected |= {"prompt_embeds": prompt, "negative_embeds": negative, "pooled": pooled,
             "negative_pooled": negative_pooled}
save_file({k: v.clone().contiguous().float() for k, v in expected.items()}, out)
