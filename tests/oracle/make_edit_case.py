"""Pictures made from a picture, by diffusers on the case sd15: image-to-image, and inpainting with its U-Net.

    python make_edit_case.py ../cases/sd15/model ../cases/sd15_edits

Needs torch, diffusers and transformers; README of the cases says which. The folder's model is a link to the other case's.
"""
import json
import sys

import torch
from diffusers import (StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline,
                       StableDiffusionPipeline)
from safetensors.torch import save_file

model, out = sys.argv[1:]
torch.set_grad_enabled(False)
parts = StableDiffusionPipeline.from_pretrained(model).components
height, width, seed = 16, 24, 7
made = torch.Generator().manual_seed(11)
picture = torch.nn.functional.interpolate(
    torch.rand(1, 3, 4, 4, generator=made), size=(height, width), mode="bicubic").clamp(0, 1)
mask = torch.zeros(1, 1, height, width)
mask[:, :, 3:12, 5:15] = 1
mask[:, :, 13:, 18:] = 0.6
mask[:, :, :2, :4] = 0.4
call = dict(prompt="a red heart on a blue background", negative_prompt="blurry",
            num_inference_steps=5, guidance_scale=5.0)
expected = {"input_image": picture, "input_mask": mask}


def sample(kind, prefix, draws, **more):
    """Runs a pipeline; its draws before the first step are the generator's first."""
    pipeline = kind(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    latents, times, start = [], [], []
    step = pipeline.scheduler.step

    def watched(output, timestep, x, *args, **kwargs):
        if not times:
            start.append(x.clone())
        times.append(float(timestep))
        return step(output, timestep, x, *args, **kwargs)

    pipeline.scheduler.step = watched
    result = pipeline(**call, image=picture, **more, output_type="np",
                      generator=torch.Generator().manual_seed(seed),
                      callback_on_step_end=lambda p, i, t, k: latents.append(k["latents"].clone()) or {})
    pipeline.scheduler.step = step
    generator = torch.Generator().manual_seed(seed)
    for name in draws:
        expected[prefix + name] = torch.randn(start[0].shape, generator=generator)
    expected[prefix + "latents_init"] = start[0]
    expected[prefix + "timesteps"] = torch.tensor(times)
    expected[prefix + f"latents_{len(latents) - 1:02d}"] = latents[-1]
    expected[prefix + "latents_00"] = latents[0]
    expected[prefix + "image"] = torch.from_numpy(result.images)


encode, noise, masked = "input_encode_noise", "input_noise", "input_masked_encode_noise"
sample(StableDiffusionImg2ImgPipeline, "", (encode, noise), strength=0.6)
size = dict(mask_image=mask, height=height, width=width)
sample(StableDiffusionInpaintPipeline, "inpaint.", (encode, noise, masked), strength=0.8, **size)
sample(StableDiffusionInpaintPipeline, "inpaint_all.", (encode, noise, masked), strength=1.0, **size)

vae = parts["vae"]
hard = (mask >= 0.5).float()
whole = vae.encode(picture * 2 - 1).latent_dist
left = vae.encode((picture * 2 - 1) * (1 - hard)).latent_dist
expected |= {
    masked: expected["inpaint." + masked],
    "encoded": (whole.mean + whole.std * expected[encode]) * vae.config.scaling_factor,
    "posterior_mean": whole.mean, "posterior_logvar": whole.logvar,
    "masked_posterior_mean": left.mean, "masked_posterior_logvar": left.logvar,
    "masked_image_latents":
        (left.mean + left.std * expected["inpaint." + masked]) * vae.config.scaling_factor,
    "inpaint.latent_mask": torch.nn.functional.interpolate(hard, size=whole.mean.shape[2:])}
for name in (encode, noise):
    for prefix in ("inpaint.", "inpaint_all."):
        assert expected.pop(prefix + name).equal(expected[name])
del expected["inpaint_all." + masked]
save_file({k: v.clone().contiguous().float() for k, v in expected.items()}, f"{out}/expected.safetensors")
inpaint = {"pipeline": "StableDiffusionInpaintPipeline"}
json.dump({"pipeline": "StableDiffusionImg2ImgPipeline", "note": "made by tests/oracle/make_edit_case.py",
           "prompt": call["prompt"], "negative_prompt": call["negative_prompt"], "steps": 5,
           "guidance_scale": 5.0, "strength": 0.6, "height": height, "width": width,
           "variants": {"inpaint": inpaint | {"strength": 0.8}, "inpaint_all": inpaint | {"strength": 1.0}}},
          open(f"{out}/case.json", "w"), indent=1)
