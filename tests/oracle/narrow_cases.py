"""Gives the reference cases `pixart_alpha`, `pixart_lcm` and `dit` one narrow autoencoder, and `dit` a narrow network,
and what diffusers 0.35.2 computes by them: those that the cases came with took megabytes.

    python narrow_cases.py tests/cases

What the cases have has to come out first: it shows that the calls are the same. Afterwards run what else reads these
networks: empty_prompt.py, make_binning_case.py, networks.py and tiling.py.
"""
import json
import os
import sys

import diffusers.pipelines.dit.pipeline_dit as dit
import torch
from diffusers import AutoencoderKL, DiTPipeline, DiTTransformer2DModel, PixArtAlphaPipeline
from safetensors.torch import load_file, save_file

cases = sys.argv[1]
torch.set_grad_enabled(False)
torch.set_num_threads(1)
VAE = "vae/diffusion_pytorch_model.safetensors", "vae/config.json"


def randomised(model, seed):
    """Weights that leave no part without influence, and norms that differ from doing nothing."""
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in model.state_dict().items():
        scale = (1.7 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
        if "norm" in key and key.endswith("weight") and tensor.dim() == 1:
            tensor += 1
    return model.eval()


def pixart(case, expected):
    """The picture of the last latents, as the pipeline ends."""
    pipeline = PixArtAlphaPipeline.from_pretrained(f"{cases}/{case}/model")
    last = max(key for key in expected if key.startswith("latents_0"))
    decoded = pipeline.vae.decode(expected[last] / pipeline.vae.config.scaling_factor).sample
    image = pipeline.image_processor.postprocess(decoded, output_type="np")
    return {"image": torch.from_numpy(image)}


def class_conditional(case, expected):
    call = json.load(open(f"{cases}/{case}/case.json"))
    pipeline = DiTPipeline.from_pretrained(f"{cases}/{case}/model")
    pipeline.set_progress_bar_config(disable=True)
    dit.randn_tensor = lambda *_, **__: expected["latents_init"].clone()
    output = pipeline(call["class_labels"], call["guidance_scale"], num_inference_steps=call["steps"], output_type="np")
    one = pipeline.transformer(expected["one_input"], expected["one_timesteps"], expected["one_labels"])
    return {"image": torch.from_numpy(output.images), "one_output": one.sample}


kinds = {"pixart_alpha": pixart, "pixart_lcm": pixart, "dit": class_conditional}
recorded = {case: load_file(f"{cases}/{case}/expected.safetensors") for case in kinds}
for case, compute in kinds.items():
    for key, tensor in compute(case, recorded[case]).items():
        difference = (tensor - recorded[case][key]).abs().max() / recorded[case][key].abs().max()
        print(f"{case} {key}: {difference:.1e} from what it was")
        assert difference < 1e-5

owner = f"{cases}/pixart_alpha/model/vae"
wide = AutoencoderKL.load_config(owner)
randomised(AutoencoderKL.from_config({**wide, "block_out_channels": [16, 20], "norm_num_groups": 4}), 21).save_pretrained(owner)
for case in ("pixart_lcm", "dit"):
    for file in VAE:
        link = f"{cases}/{case}/model/{file}"
        os.remove(link)
        os.symlink(f"../../../pixart_alpha/model/{file}", link)
folder = f"{cases}/dit/model/transformer"
wide = DiTTransformer2DModel.load_config(folder)
narrow = {**wide, "num_attention_heads": 2, "attention_head_dim": 8}
randomised(DiTTransformer2DModel.from_config(narrow), 22).save_pretrained(folder)

for case, compute in kinds.items():
    computed = {key: tensor.contiguous() for key, tensor in compute(case, recorded[case]).items()}
    image = computed["image"]
    print(f"{case}: {((image > 0) & (image < 1)).float().mean():.0%} of the picture is between black and white")
    save_file({**recorded[case], **computed}, f"{cases}/{case}/expected.safetensors")
