"""Pictures steered by ControlNets, by diffusers on the case sd15: several, in a part of the steps, in guess mode, pooled,
of another size, from a picture and with a mask.

    python make_control_case.py ../cases/sd15/model ../cases/sd15_controlled

Needs torch, diffusers and transformers; README of the cases says which. All parts of the folder's model but the
ControlNets are links to the other case's.
"""
import json
import sys

import torch
from diffusers import (ControlNetModel, StableDiffusionControlNetImg2ImgPipeline,
                       StableDiffusionControlNetInpaintPipeline, StableDiffusionControlNetPipeline,
                       StableDiffusionPipeline)
from PIL import Image
from safetensors.torch import save_file

model, out = sys.argv[1:]
torch.set_grad_enabled(False)
torch.set_num_threads(1)
parts = StableDiffusionPipeline.from_pretrained(model).components
height, width, seed = 16, 24, 7
made = torch.Generator().manual_seed(13)


def randomised(net):
    for key, tensor in net.state_dict().items():
        scale = (1.7 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
        tensor.copy_(torch.randn(tensor.shape, generator=made) * scale)
        if "norm" in key and key.endswith("weight") and tensor.dim() == 1:
            tensor += 1
    return net.eval()


def changed(net, folder, **options):
    """The same weights with other options."""
    config = dict(net.config) | options
    other = ControlNetModel.from_config(config)
    other.load_state_dict(net.state_dict())
    other.save_config(f"{out}/model/{folder}")
    return other.eval()


nets = []
for folder in "controlnet", "controlnet_1":
    net = ControlNetModel.from_unet(parts["unet"], conditioning_embedding_out_channels=(4, 6))
    nets.append(randomised(net))
    net.save_pretrained(f"{out}/model/{folder}")
# Its weights are a link to the second's.
nets.append(changed(nets[1], "controlnet_pooled", global_pool_conditions=True,
                    controlnet_conditioning_channel_order="bgr"))

pictures = [torch.rand(1, 3, height, width, generator=made) for _ in range(3)]
large = (torch.rand(20, 27, 3, generator=made) * 255).round().byte()
mask = torch.zeros(1, 1, height, width)
mask[:, :, 3:12, 5:15] = 1
expected = {f"input_control_{i}": picture for i, picture in enumerate(pictures)}
expected["scaled.input_control_0"] = large.permute(2, 0, 1)[None].float() / 255
source = torch.rand(1, 3, height, width, generator=made)
expected |= {"input_image": source, "input_mask": mask}
start = torch.randn(1, 4, height // 2, width // 2, generator=made)
expected["latents_init"] = start
call = dict(prompt="a red heart on a blue background", negative_prompt="blurry",
            num_inference_steps=5, guidance_scale=5.0, height=height, width=width)


def sample(kind, prefix, chosen, draws=(), **more):
    """Runs a pipeline; its draws before the first step are the generator's first."""
    pipeline = kind(controlnet=[nets[i] for i in chosen] if len(chosen) > 1 else nets[chosen[0]], **parts,
                    requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    latents = []
    if not draws:
        more["latents"] = start.clone()
    result = pipeline(**call | more, output_type="np", generator=torch.Generator().manual_seed(seed),
                      callback_on_step_end=lambda p, i, t, k: latents.append(k["latents"].clone()) or {})
    generator = torch.Generator().manual_seed(seed)
    for name in draws:
        expected[prefix + name] = torch.randn(start.shape, generator=generator)
    last = len(latents) - 1
    for i, each in enumerate(latents):
        if i == last or not prefix:
            expected[prefix + f"latents_{i:02d}"] = each
    if not prefix:
        expected["image"] = torch.from_numpy(result.images)


plain = StableDiffusionControlNetPipeline
weights = dict(controlnet_conditioning_scale=[0.8, 0.5], control_guidance_start=[0.0, 0.2],
               control_guidance_end=[0.6, 1.0])
sample(plain, "", [0, 1], image=pictures[:2], **weights)
sample(plain, "guess.", [0], image=pictures[0], controlnet_conditioning_scale=0.9, guess_mode=True)
sample(plain, "unguided.", [0], image=pictures[0], controlnet_conditioning_scale=0.9, guess_mode=True,
       guidance_scale=1.0)
sample(plain, "pooled.", [2], image=pictures[2])
sample(plain, "scaled.", [0], image=Image.fromarray(large.numpy()))
encode, noise, masked = "input_encode_noise", "input_noise", "input_masked_encode_noise"
part = dict(control_guidance_start=0.3, control_guidance_end=0.9)
sample(StableDiffusionControlNetImg2ImgPipeline, "edit.", [0], (encode, noise), image=source,
       control_image=pictures[0], strength=0.6, controlnet_conditioning_scale=0.8, **part)
sample(StableDiffusionControlNetInpaintPipeline, "inpaint.", [0], (encode, noise, masked), image=source,
       mask_image=mask, control_image=pictures[0], strength=0.8, controlnet_conditioning_scale=0.8, **part)
for name in (encode, noise):
    assert expected.pop("inpaint." + name).equal(expected["edit." + name])

save_file({k: v.clone().contiguous().float() for k, v in expected.items()}, f"{out}/expected.safetensors")
one = dict(control_guidance_start=0.0, control_guidance_end=1.0)
edit = dict(strength=0.6, controlnets=[0], controlnet_conditioning_scale=0.8) | part
json.dump({"pipeline": "StableDiffusionControlNetPipeline", "note": "made by tests/oracle/make_control_case.py",
           "prompt": call["prompt"], "negative_prompt": call["negative_prompt"], "steps": 5,
           "guidance_scale": 5.0, "height": height, "width": width, "controlnets": [0, 1], **weights,
           "folders": ["controlnet", "controlnet_1", "controlnet_pooled"],
           "variants": {
               "guess": one | dict(controlnets=[0], controlnet_conditioning_scale=0.9, guess_mode=True),
               "unguided": one | dict(controlnets=[0], controlnet_conditioning_scale=0.9, guess_mode=True,
                                      guidance_scale=1.0),
               "pooled": one | dict(controlnets=[2], controlnet_conditioning_scale=1.0),
               "scaled": one | dict(controlnets=[0], controlnet_conditioning_scale=1.0),
               "edit": {"pipeline": "StableDiffusionControlNetImg2ImgPipeline"} | edit,
               "inpaint": {"pipeline": "StableDiffusionControlNetInpaintPipeline"} | edit | dict(strength=0.8)}},
          open(f"{out}/case.json", "w"), indent=1)
