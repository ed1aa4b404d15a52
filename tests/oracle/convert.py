"""Compares `darkroom convert` with diffusers, there and back, on random checkpoints with the levels of published ones.

    python convert.py TOKENIZER SCRIPTS OUT DARKROOM...

TOKENIZER is the tokenizer of tests/cases/sd15/model. SCRIPTS is the folder `scripts` of diffusers' repository, whose
convert_diffusers_to_original_stable_diffusion.py and convert_diffusers_to_original_sdxl.py are run as they are. OUT is
an empty folder for checkpoints, DARKROOM the command with its first arguments. Of each checkpoint it prints
- file:   the tensors of our file against those of diffusers' script (names, shapes, largest difference)
- single: what diffusers' `from_single_file` reads of our file against the folder
- back:   what diffusers' `from_pretrained` reads of our folder of that file against the first one

It runs with diffusers 0.35.2, transformers 4.57.1 and torch 2.13.0 on the CPU.
"""
import os
import subprocess
import sys

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionInpaintPipeline,
                       StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

words, scripts, out, *darkroom = sys.argv[1:]
torch.set_grad_enabled(False)
torch.manual_seed(5)
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
OLD = dict(set_alpha_to_one=False, **BETAS)


def randomised(model):
    for tensor in model.parameters():
        tensor.copy_(torch.randn(tensor.shape) * 0.1)
    return model


def tokenizer(pad):
    return CLIPTokenizer.from_pretrained(words, pad_token=pad)


def text(width, layers, act, projection=None):
    config = CLIPTextConfig(vocab_size=600, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
                            num_attention_heads=2, hidden_act=act, bos_token_id=598, eos_token_id=599,
                            projection_dim=projection or 512)
    return randomised((CLIPTextModelWithProjection if projection else CLIPTextModel)(config))


def vae(scale):
    return randomised(AutoencoderKL(
        block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4, scaling_factor=scale,
        sample_size=64))


def unet(width, linear=False, channels=4):
    return randomised(UNet2DConditionModel(
        block_out_channels=(32, 64, 64, 64), in_channels=channels, sample_size=8, cross_attention_dim=width,
        attention_head_dim=(2, 4, 4, 4) if linear else 8, use_linear_projection=linear))


def xl(width, pooled, numbers, depths):
    levels = len(depths)
    attention = [depth > 0 for depth in depths]
    return randomised(UNet2DConditionModel(
        block_out_channels=(32, 64, 64, 64)[:levels], sample_size=8, cross_attention_dim=width,
        down_block_types=["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        up_block_types=["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)],
        transformer_layers_per_block=[max(1, d) for d in depths], attention_head_dim=(2, 4, 4, 4)[:levels],
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=pooled + 8 * numbers))


def checkpoints():
    none = dict(safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    one = tokenizer("<|endoftext|>")
    yield "sd1", StableDiffusionPipeline(vae=vae(0.18215), text_encoder=text(16, 3, "quick_gelu"), tokenizer=one,
                                         unet=unet(16), scheduler=PNDMScheduler(skip_prk_steps=True, **OLD), **none)
    yield "sd1_inpaint", StableDiffusionInpaintPipeline(
        vae=vae(0.18215), text_encoder=text(16, 3, "quick_gelu"), tokenizer=one, unet=unet(16, channels=9),
        scheduler=DDIMScheduler(clip_sample=False, **OLD), **none)
    yield "sd2", StableDiffusionPipeline(
        vae=vae(0.18215), text_encoder=text(16, 23, "gelu"), tokenizer=tokenizer("!"), unet=unet(16, linear=True),
        scheduler=DDIMScheduler(clip_sample=False, prediction_type="v_prediction", **OLD), **none)
    euler = EulerDiscreteScheduler(timestep_spacing="leading", **BETAS)
    yield "xl", StableDiffusionXLPipeline(
        vae=vae(0.13025), text_encoder=text(16, 3, "quick_gelu"), text_encoder_2=text(24, 4, "gelu", 24), tokenizer=one,
        tokenizer_2=tokenizer("!"), unet=xl(40, 24, 6, (0, 2, 3)), scheduler=euler, add_watermarker=False)
    yield "refiner", StableDiffusionXLImg2ImgPipeline(
        vae=vae(0.13025), text_encoder=None, tokenizer=None, text_encoder_2=text(24, 4, "gelu", 24),
        tokenizer_2=tokenizer("!"), unet=xl(24, 24, 5, (0, 2, 2, 0)), scheduler=euler, add_watermarker=False,
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False)


def states(pipeline):
    return {f"{part}.{key}": value for part, module in pipeline.components.items() if isinstance(module, torch.nn.Module)
            for key, value in module.state_dict().items()}


def compare(what, expected, actual):
    missing, others = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
    shapes = [k for k in expected.keys() & actual.keys() if expected[k].shape != actual[k].shape]
    same = [k for k in expected.keys() & actual.keys() if k not in shapes and expected[k].numel()]
    largest = max((expected[k].float() - actual[k].float()).abs().max().item() for k in same)
    print(f"  {what:7} {len(same)} tensors, largest difference {largest}; missing {missing[:4]}, others {others[:4]}, "
          f"other shapes {shapes[:4]}")


os.makedirs(out, exist_ok=True)
for name, pipeline in checkpoints():
    folder, file, back = f"{out}/{name}", f"{out}/{name}.safetensors", f"{out}/{name}.back"
    pipeline.save_pretrained(folder)
    for arguments in (folder, file), (file, back):
        subprocess.run([*darkroom, "convert", *arguments], check=True)
    if name != "refiner":  # which diffusers' scripts do not write
        script = "sdxl" if name == "xl" else "stable_diffusion"
        theirs = f"{out}/{name}.theirs.safetensors"
        subprocess.run([sys.executable, f"{scripts}/convert_diffusers_to_original_{script}.py", "--use_safetensors",
                        "--model_path", folder, "--checkpoint_path", theirs], check=True, stdout=subprocess.DEVNULL)
        compare("file", load_file(theirs), load_file(file))
    expected = states(pipeline)
    compare("single", expected, states(type(pipeline).from_single_file(file, config=folder, local_files_only=True)))
    compare("back", expected, states(type(pipeline).from_pretrained(back)))
