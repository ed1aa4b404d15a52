"""Steps of PyTorch's optimizers, for OptimizerGoldenTest in runtime.

    python tests/oracle/optim.py        (torch 2.13.0, safetensors; writes optim.safetensors beside)

Everything is float32. Muon's iteration is run in float32 (torch casts to bfloat16), since bfloat16
products are rounded differently from one libtorch to the next; `muon_bf16` is torch's own.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

STEPS = 5
SHAPES = {"tall": (12, 5), "wide": (4, 9), "vector": (7,), "kernel": (6, 2, 3, 3)}
out = {}
generator = torch.Generator().manual_seed(5)

start = {k: torch.randn(s, generator=generator) for k, s in SHAPES.items()}
grads = [{k: torch.randn(s, generator=generator) for k, s in SHAPES.items()} for _ in range(STEPS)]
for key, value in start.items():
    out[f"start.{key}"] = value
for i, each in enumerate(grads):
    for key, value in each.items():
        out[f"grad.{i}.{key}"] = value


def run(name, keys, make, shape=lambda p: p):
    """Parameters after the first and the last step, and the state then."""
    parameters = {k: shape(start[k].clone()).requires_grad_() for k in keys}
    optimizer = make(parameters)
    for i in range(STEPS):
        for key, parameter in parameters.items():
            parameter.grad = shape(grads[i][key].clone())
        optimizer.step()
        if i in (0, STEPS - 1):
            for key, parameter in parameters.items():
                out[f"{name}.{i}.{key}"] = parameter.detach().reshape(SHAPES[key]).clone()
    return {key: optimizer.state[p] for key, p in parameters.items()}


def adamw(parameters):
    groups = [
        {"params": [parameters["tall"], parameters["wide"]], "lr": 1e-2, "weight_decay": 0.1},
        {"params": [parameters["vector"], parameters["kernel"]], "lr": 3e-3, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


for key, state in run("adamw", SHAPES, adamw).items():
    for name, value in state.items():
        out[f"adamw.state.{key}.{name}"] = value.clone()


def muon(rule):
    return lambda p: torch.optim.Muon(p.values(), lr=2e-2, weight_decay=0.1, adjust_lr_fn=rule)


def flat(p):
    return p.flatten(1)


MATRICES = ["tall", "wide", "kernel"]
run("muon_bf16", MATRICES, muon("match_rms_adamw"), flat)
torch.Tensor.bfloat16 = torch.Tensor.clone
run("muon_rms", MATRICES, muon("match_rms_adamw"), flat)
for key, state in run("muon_ratio", MATRICES, muon("original"), flat).items():
    out[f"muon_ratio.state.{key}"] = state["momentum_buffer"].reshape(SHAPES[key]).clone()

# EMA with diffusers' ramp (EMAModel, use_ema_warmup): 1 - (1 + step)^-power, at most the decay.
average = {k: v.clone() for k, v in start.items()}
values = {k: v.clone() for k, v in start.items()}
for i in range(STEPS):
    decay = min(0.7, 1 - (1 + i) ** -0.75)
    for key in SHAPES:
        values[key] = values[key] + grads[i][key]
        average[key] = torch.lerp(values[key], average[key], decay)
for key, value in average.items():
    out[f"ema.{key}"] = value

# clip_grad_norm_
parameters = [torch.nn.Parameter(v.clone()) for v in start.values()]
for parameter, gradient in zip(parameters, grads[0].values()):
    parameter.grad = gradient.clone()
out["clip.norm"] = torch.nn.utils.clip_grad_norm_(parameters, 1.5)
for key, parameter in zip(SHAPES, parameters):
    out[f"clip.{key}"] = parameter.grad

save_file(out, Path(__file__).with_suffix(".safetensors"))
