"""Makes the reference cases `sd15` and `sdxl`: tiny random checkpoints, and what diffusers 0.35.2 computes from them.

    python make_sd_cases.py VOCABULARY CASES

VOCABULARY is a folder with the whole vocab.json and merges.txt of CLIP, whose first merges are taken. Run with
transformers 4.57.1 and torch 2.13.0 on the CPU.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
from diffusers import (AutoencoderKL, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

vocabulary, cases = sys.argv[1:]
torch.set_grad_enabled(False)
torch.set_num_threads(1)
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
TOKENS = 600  # 256 bytes, the same at the end of a word, merges, start and end
START, END = TOKENS - 2, TOKENS - 1


def tokenizer(pad):
    merges = open(f"{vocabulary}/merges.txt", encoding="utf-8").read().split("\n")[1:TOKENS - 512 - 1]
    whole = json.load(open(f"{vocabulary}/vocab.json", encoding="utf-8"))
    words = sorted(whole, key=whole.get)[:512] + [m.replace(" ", "") for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    os.makedirs(f"{cases}/_tokenizer", exist_ok=True)
    json.dump({w: i for i, w in enumerate(words)}, open(f"{cases}/_tokenizer/vocab.json", "w"))
    open(f"{cases}/_tokenizer/merges.txt", "w").write("#version: 0.2\n" + "\n".join(merges) + "\n")
    return CLIPTokenizer(f"{cases}/_tokenizer/vocab.json", f"{cases}/_tokenizer/merges.txt", model_max_length=77,
                         pad_token=pad)


def randomised(model):
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            size = 0.35 * (1 if tensor.dim() < 2 else 3 / tensor[0].numel() ** 0.5)
            tensor.copy_(torch.randn(tensor.shape) * size + (1.0 if "norm" in key and "weight" in key else 0.0))
    return model.eval()


def clip(kind, width, **options):
    return randomised(kind(CLIPTextConfig(
        vocab_size=TOKENS, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=2,
        bos_token_id=START, pad_token_id=END, **options)))


def vae(**options):
    return randomised(AutoencoderKL(
        block_out_channels=(4, 8), norm_num_groups=2, down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1, sample_size=16, **options))


def unet(**options):
    return randomised(UNet2DConditionModel(norm_num_groups=2, layers_per_block=1, sample_size=8, **options))


def steps(into, prefix):
    def keep(pipe, step, timestep, kept):
        into[f"{prefix}latents_{step:02d}"] = kept["latents"].clone()
        into.setdefault(f"{prefix}timesteps", []).append(float(timestep))
        return kept
    return keep


def write(name, pipe, call, tensors, note, variants=None):
    folder = f"{cases}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(f"{folder}/model")
    tensors = {k: torch.tensor(v) if isinstance(v, list) else v.contiguous() for k, v in tensors.items()}
    save_file(tensors, f"{folder}/expected.safetensors")
    call = {"pipeline": type(pipe).__name__, "note": f"made by tests/oracle/make_sd_cases.py; {note}", **call}
    if variants:
        call["variants"] = variants
    json.dump(call, open(f"{folder}/case.json", "w"), indent=1)
    print(name, sum(os.path.getsize(f"{d}/{f}") for d, _, fs in os.walk(folder) for f in fs) // 1024, "KiB")


def run(pipe, tensors, prefix, start, call):
    out = pipe(num_inference_steps=call["steps"], latents=start.clone(), output_type="np",
               generator=torch.Generator().manual_seed(7), callback_on_step_end=steps(tensors, prefix),
               **{k: v for k, v in call.items() if k != "steps"})
    tensors[f"{prefix}image"] = torch.from_numpy(np.asarray(out.images))


def sd15():
    torch.manual_seed(1)
    pipe = StableDiffusionPipeline(
        vae=vae(), text_encoder=clip(CLIPTextModel, 8, eos_token_id=2), tokenizer=tokenizer("<|endoftext|>"),
        unet=unet(block_out_channels=(4, 8), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=8, attention_head_dim=2),
        scheduler=PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **BETAS), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    call = dict(prompt="two cats & a (very) old tree;  double  spaces", negative_prompt="blurry", steps=5,
                guidance_scale=7.5, height=16, width=24)
    start = torch.randn(1, 4, 8, 12)
    prompt, negative = pipe.encode_prompt(call["prompt"], "cpu", 1, True, negative_prompt=call["negative_prompt"])
    tensors = {"latents_init": start, "prompt_embeds": prompt, "negative_embeds": negative}
    run(pipe, tensors, "", start, call)
    rescaled = {}
    run(pipe, rescaled, "", start, {**call, "guidance_rescale": 0.7})
    tensors["image_rescale_0.7"] = rescaled["image"]
    write("sd15", pipe, call, tensors, "image_rescale_0.7: the same call with guidance_rescale 0.7")


def sdxl():
    torch.manual_seed(2)
    pipe = StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025), text_encoder=clip(CLIPTextModel, 4, eos_token_id=2),
        text_encoder_2=clip(CLIPTextModelWithProjection, 4, eos_token_id=END, projection_dim=6, hidden_act="gelu"),
        tokenizer=tokenizer("<|endoftext|>"), tokenizer_2=tokenizer("!"),
        unet=unet(block_out_channels=(4, 8), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                  up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=8, attention_head_dim=(2, 4),
                  transformer_layers_per_block=(1, 2), use_linear_projection=True, addition_embed_type="text_time",
                  addition_time_embed_dim=4, projection_class_embeddings_input_dim=30),
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **BETAS), force_zeros_for_empty_prompt=True,
        add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    call = dict(prompt="an astronaut riding a horse, oil painting", negative_prompt="blurry", steps=4,
                guidance_scale=5.0, height=16, width=24, original_size=[64, 48], crops_coords_top_left=[4, 8],
                target_size=[16, 24])
    variants = {
        "zeros": {"negative_prompt": None},
        "empty": {"negative_prompt": ""},
        "two_prompts": {
            "prompt_2": "a red heart on a blue background", "negative_original_size": [16, 16],
            "negative_target_size": [48, 32], "negative_crops_coords_top_left": [2, 0], "clip_skip": 1,
            "guidance_rescale": 0.6, "denoising_end": 0.7}}
    noise = torch.randn(1, 4, 8, 12)
    pipe.scheduler.set_timesteps(call["steps"])
    tensors = {"latents_init": noise * pipe.scheduler.init_noise_sigma}
    names = ("prompt_embeds", "negative_embeds", "pooled", "negative_pooled")
    for prefix, changes in {"": {}, **{f"{k}.": v for k, v in variants.items()}}.items():
        changed = {**call, **changes}
        encoded = dict(zip(names, pipe.encode_prompt(
            changed["prompt"], changed.get("prompt_2"), "cpu", 1, True, negative_prompt=changed["negative_prompt"],
            clip_skip=changed.get("clip_skip"))))
        tensors.update({prefix + k: v for k, v in encoded.items() if not prefix or "two" in prefix or "neg" in k})
        run(pipe, tensors, prefix, noise, changed)
    write("sdxl", pipe, call, tensors, "latents_init is noise times init_noise_sigma", variants)


def share(source, folder):
    """Makes links of the files in a folder that equal those of the same names in another."""
    for file in os.listdir(folder):
        of, copy = f"{source}/{file}", f"{folder}/{file}"
        if os.path.exists(of) and open(of, "rb").read() == open(copy, "rb").read():
            os.remove(copy)
            os.symlink(os.path.relpath(of, folder), copy)


sd15()
sdxl()
for part in ("tokenizer", "tokenizer_2"):
    share(f"{cases}/sd15/model/tokenizer", f"{cases}/sdxl/model/{part}")
shutil.rmtree(f"{cases}/_tokenizer")
