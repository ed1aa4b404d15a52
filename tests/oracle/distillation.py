"""Writes the golden tensors of the distillation objectives.

    python distillation.py OUT

Run with torch 2.13.0 on the CPU. OUT is a safetensors file. For each case: the batch, what was drawn, the
networks' weights, the loss and the gradients of the student's weights.

Latent consistency is in float64: the slope of its distance turns round within 0.001, where float32 computes
differences of x0 that are 1e-5 off. Times, guidance and the schedule are float32 there too, as networks get them.
"""

import math
import sys

import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(5)
golden = {}
N, SHAPE, HIDDEN = 6, (2, 3, 3), 12
SIZE = math.prod(SHAPE)


def weights(dtype=torch.float32):
    return [p.to(dtype) for p in (torch.randn(HIDDEN, SIZE) * 0.3, torch.randn(HIDDEN) * 0.5,
                                  torch.randn(HIDDEN) * 0.2, torch.randn(SIZE, HIDDEN) * 0.3)]


def network(p, x, t, w):
    """Conditioned on times t and guidance w, both [N]."""
    hidden = torch.tanh(x.flatten(1) @ p[0].T + t[:, None].float() * p[1] + w[:, None] * p[2])
    return (hidden @ p[3].T).reshape(x.shape)


def record(name, **tensors):
    for key, tensor in tensors.items():
        golden[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def column(v, dtype=torch.float32):
    return v.to(dtype)[:, None, None, None]


def finish(name, loss, student, **nets):
    loss.backward()
    record(name, loss=loss, **{f"student.{i}": p for i, p in enumerate(student)},
           **{f"gradient.{i}": p.grad for i, p in enumerate(student)},
           **{f"{net}.{i}": p for net, ps in nets.items() for i, p in enumerate(ps)})


def huber(d, c=0.001):
    return torch.sqrt(d**2 + c**2) - c


# ---- latent consistency distillation
betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
alphas_bar = torch.cumprod(1 - betas, 0).double()  # rounded to float32 first
grid = torch.arange(1, 51) * 20 - 1                                        # 19, 39 ... 999
WIDE = torch.float64


def latent_consistency(name, kind, guidance, squared=False):
    student = [p.requires_grad_() for p in weights(WIDE)]
    target, cond, uncond = weights(WIDE), weights(WIDE), weights(WIDE)
    z0, noise = torch.randn(N, *SHAPE).to(WIDE), torch.randn(N, *SHAPE).to(WIDE)
    index = torch.tensor([0, 1, 7, 24, 30, 49])
    w = torch.rand(N) * 10 + 5 if guidance is None else torch.full((N,), guidance)
    start = grid[index]
    end = torch.clamp(start - 20, min=0)

    def scales(t):
        return column(alphas_bar[t].sqrt(), WIDE), column((1 - alphas_bar[t]).sqrt(), WIDE)

    def estimates(out, x, t):
        a, s = scales(t)
        if kind == "epsilon":
            return (x - s * out) / a, out
        if kind == "v":
            return a * x - s * out, a * out + s * x
        return out, (x - a * out) / s

    def call(p, x, t, w):
        return network(p, x, t / 1000, w / 10)

    def consistency(p, x, t):
        scaled = 10.0 * t.double()
        skip = 0.25 / (scaled**2 + 0.25)
        out = scaled / (scaled**2 + 0.25).sqrt()
        return column(skip, WIDE) * x + column(out, WIDE) * estimates(call(p, x, t, w), x, t)[0]

    a, s = scales(start)
    noisy = a * z0 + s * noise
    predicted = consistency(student, noisy, start)
    with torch.no_grad():
        none = torch.full((N,), 10.0)  # 1 after scaling: what the test gives a teacher
        cond_x0, cond_eps = estimates(call(cond, noisy, start, none), noisy, start)
        uncond_x0, uncond_eps = estimates(call(uncond, noisy, start, none), noisy, start)
        x0 = cond_x0 + column(w, WIDE) * (cond_x0 - uncond_x0)
        eps = cond_eps + column(w, WIDE) * (cond_eps - uncond_eps)
        previous = torch.cat([alphas_bar[:1], alphas_bar[grid[:-1]]])[index]
        stepped = column(previous.sqrt(), WIDE) * x0 + column((1 - previous).sqrt(), WIDE) * eps
        goal = consistency(target, stepped, end)
    d = predicted - goal
    loss = (d**2).mean() if squared else huber(d).mean()
    record(name, clean=z0, noise=noise, indices=index, guidance=w)
    finish(name, loss, student, target=target, cond=cond, uncond=uncond)


latent_consistency("lcd_epsilon", "epsilon", None)
latent_consistency("lcd_v", "v", None)
latent_consistency("lcd_sample", "sample", None)
latent_consistency("lcd_fixed", "epsilon", 6.5, squared=True)

# ---- consistency models
LOW, HIGH, RHO, DATA, LEVELS = 0.002, 80.0, 7.0, 0.5, 18
ramp = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
sigmas = (LOW ** (1 / RHO) + ramp * (HIGH ** (1 / RHO) - LOW ** (1 / RHO))) ** RHO
record("cm", sigmas=sigmas)


def preconditioned(p, x, sigma, skip, out):
    inner = network(p, x / column((sigma**2 + DATA**2).sqrt()), sigma.log() / 4, torch.ones(len(x)))
    return column(skip) * x + column(out) * inner


def model(p, x, sigma):
    skip = DATA**2 / ((sigma - LOW) ** 2 + DATA**2)
    return preconditioned(p, x, sigma, skip, DATA * (sigma - LOW) / (sigma**2 + DATA**2).sqrt())


def denoiser(p, x, sigma):
    skip = DATA**2 / (sigma**2 + DATA**2)
    return preconditioned(p, x, sigma, skip, DATA * sigma / (sigma**2 + DATA**2).sqrt())


def consistency_model(name, teacher, improved=False):
    student = [p.requires_grad_() for p in weights()]
    target = student if improved else weights()
    clean, noise = torch.randn(N, *SHAPE), torch.randn(N, *SHAPE)
    index = torch.tensor([0, 3, 8, 11, 14, 16])
    low, high = sigmas[index].float(), sigmas[index + 1].float()
    x = clean + column(high) * noise
    with torch.no_grad():
        if teacher:
            slope = (x - denoiser(teacher, x, high)) / column(high)
            guess = x + column(low - high) * slope
            there = (guess - denoiser(teacher, guess, low)) / column(low)
            cleaner = x + column(low - high) * (slope + there) / 2
        else:
            cleaner = clean + column(low) * noise
        goal = model(target, cleaner, low)
    d = model(student, x, high) - goal
    each = (huber(d, 0.03) if improved else d**2).flatten(1).mean(1)
    loss = (each / (high - low) if improved else each).mean()
    record(name, clean=clean, noise=noise, indices=index)
    finish(name, loss, student, target=target, **({"teacher": teacher} if teacher else {}))


consistency_model("cd", weights())
consistency_model("ct", None)
consistency_model("ict", None, improved=True)

# ---- multistep sampling
with torch.no_grad():
    p, x, fresh = weights(), torch.randn(N, *SHAPE) * HIGH, torch.randn(2, N, *SHAPE)
    sample = model(p, x, torch.full((N,), HIGH))
    for tau, z in zip((10.0, 0.7), fresh):
        sample = model(p, sample + (tau**2 - LOW**2) ** 0.5 * z, torch.full((N,), tau))
    record("cm", x=x, fresh=fresh, sample=sample, **{f"student.{i}": each for i, each in enumerate(p)})

save_file(golden, sys.argv[1])
