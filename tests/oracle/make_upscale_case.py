"""Makes a case of diffusers' StableDiffusionUpscalePipeline: a tiny random upscaler, and what diffusers 0.35.2 computes.

    python make_upscale_case.py ../cases/sd15/model ../cases/sd_upscale
    python make_upscale_case.py ../cases/sd15/model FOLDER SEED

The first has the text encoder and the autoencoder of the case sd15, as links, and few levels of noise. The second has
random parts as the published upscaler has them: an autoencoder that makes four pixels of one of the latents, and 1000
levels. Run with transformers 4.57.1 and torch 2.13.0 on the CPU.
"""
import functools
import json
import os
import shutil
import sys

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, StableDiffusionUpscalePipeline,
                       UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

model, out = sys.argv[1:3]
seed = int(sys.argv[3]) if len(sys.argv) > 3 else None
torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.manual_seed(seed or 5)
BETAS = dict(beta_start=0.0001, beta_end=0.02, beta_schedule="scaled_linear", num_train_timesteps=1000)
height, width, noise_seed = 8, 12, 7


def randomised(network):
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            size = 0.35 * (1 if tensor.dim() < 2 else 3 / tensor[0].numel() ** 0.5)
            tensor.copy_(torch.randn(tensor.shape) * size + (1.0 if "norm" in key and "weight" in key else 0.0))
    return network.eval()


def unet(blocks, levels):
    count = len(blocks) - 1
    return randomised(UNet2DConditionModel(
        in_channels=7, sample_size=16, block_out_channels=blocks, norm_num_groups=2, layers_per_block=1,
        cross_attention_dim=8, attention_head_dim=2, num_class_embeds=levels, use_linear_projection=True,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * count,
        up_block_types=("CrossAttnUpBlock2D",) * count + ("UpBlock2D",),
        only_cross_attention=(True,) * count + (False,)))


text = CLIPTextModel.from_pretrained(f"{model}/text_encoder")
if seed is None:
    vae = AutoencoderKL.from_pretrained(f"{model}/vae")
    vae.register_to_config(scaling_factor=0.08333)
    network, most = unet((4, 4), 64), 50
else:
    text = randomised(text)
    vae = randomised(AutoencoderKL(
        block_out_channels=(4, 8, 8), norm_num_groups=2, layers_per_block=1, scaling_factor=0.08333, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3))
    network, most = unet((4, 8, 8), 1000), 350
pipe = StableDiffusionUpscalePipeline(
    vae=vae, text_encoder=text, tokenizer=CLIPTokenizer.from_pretrained(f"{model}/tokenizer"), unet=network,
    low_res_scheduler=DDPMScheduler(**BETAS),
    scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="v_prediction",
                            **BETAS),
    max_noise_level=most)
pipe.set_progress_bar_config(disable=True)
picture = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), size=(height, width), mode="bicubic").clamp(0, 1)
call = dict(prompt="a red heart on a blue background", negative_prompt="blurry", steps=3, guidance_scale=9.0)
expected = {"input_image": picture}


def sample(prefix, steps, batch_size=1, noise_level=20, prompt=None, negative_prompt=None, **more):
    """Runs the pipeline; it draws the noise of the pictures and then that of the latents, of a generator for each."""
    latents, times, seen = [], [], []
    step, add_noise = pipe.scheduler.step, pipe.low_res_scheduler.add_noise

    @functools.wraps(step)  # the pipeline asks for its arguments' names
    def watched(output, timestep, x, *args, **kwargs):
        if not times:
            expected[prefix + "latents_init"] = x.clone()
        times.append(float(timestep))
        result = step(output, timestep, x, *args, **kwargs)
        latents.append(result[0].clone())
        return result

    def noised(*args):
        expected[prefix + "input_low_res_noise"] = args[1].clone()
        expected[prefix + "low_res"] = add_noise(*args)
        return expected[prefix + "low_res"].clone()

    pipe.scheduler.step, pipe.low_res_scheduler.add_noise = watched, noised
    images = picture.repeat(batch_size, 1, 1, 1)
    generators = [torch.Generator().manual_seed(noise_seed + i) for i in range(batch_size)]
    result = pipe(prompt=[prompt] * batch_size, negative_prompt=[negative_prompt] * batch_size, image=images,
                  noise_level=noise_level, num_inference_steps=steps, generator=generators, output_type="np", **more)
    pipe.scheduler.step, pipe.low_res_scheduler.add_noise = step, add_noise
    for i, each in enumerate(latents):
        if seed or not prefix or i == len(latents) - 1:  # the small case has fewer
            expected[f"{prefix}latents_{i:02d}"] = each
    expected[prefix + "timesteps"] = torch.tensor(times)
    expected[prefix + "image"] = torch.from_numpy(result.images)


prompt, negative = pipe.encode_prompt(call["prompt"], "cpu", 1, True, negative_prompt=call["negative_prompt"])
expected |= {"prompt_embeds": prompt, "negative_embeds": negative}
variants = {"clean": {"noise_level": 0, "guidance_scale": 1.0}, "noisy": {"noise_level": most, "eta": 1.0},
            "batch": {"batch_size": 2}}
for prefix, changes in {"": {}, **{f"{name}.": each for name, each in variants.items()}}.items():
    sample(prefix, **{**call, **changes})

shutil.rmtree(out, ignore_errors=True)
pipe.save_pretrained(f"{out}/model")
save_file({k: v.clone().contiguous().float() for k, v in expected.items()}, f"{out}/expected.safetensors")
factor = pipe.vae_scale_factor
json.dump({"pipeline": "StableDiffusionUpscalePipeline", "note": "made by tests/oracle/make_upscale_case.py", **call,
           "noise_level": 20, "height": factor * height, "width": factor * width, "variants": variants},
          open(f"{out}/case.json", "w"), indent=1)
for folder, _, files in os.walk(f"{out}/model"):
    for file in files if seed is None else ():
        copy = f"{folder}/{file}"
        of = f"{model}/{os.path.relpath(copy, out + '/model')}"
        if os.path.exists(of) and open(of, "rb").read() == open(copy, "rb").read():
            os.remove(copy)
            os.symlink(os.path.relpath(of, folder), copy)
print(out, sum(os.lstat(f"{d}/{f}").st_size for d, _, fs in os.walk(out) for f in fs) // 1024, "KiB")
