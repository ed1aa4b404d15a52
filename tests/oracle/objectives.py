"""Writes the golden tensors of the diffusion objectives.

    python objectives.py OUT

Run with torch 2.13.0 on the CPU. OUT is a safetensors file. For each case: the batch, what was
drawn, the network's weights, the loss and the gradients of the weights.
"""

import math
import sys

import torch
from safetensors.torch import save_file
from torch.distributions import Normal, kl_divergence

torch.set_num_threads(1)
torch.manual_seed(7)
golden = {}
N, SHAPE, HIDDEN = 6, (2, 3, 3), 12
SIZE = math.prod(SHAPE)


def weights(factor=1):
    return [p.requires_grad_() for p in (torch.randn(HIDDEN, SIZE) * 0.3, torch.randn(HIDDEN) * 0.5,
                                         torch.randn(HIDDEN) * 0.2, torch.randn(factor * SIZE, HIDDEN) * 0.3)]


def network(p, x, t):
    """Conditioned on times t [N]."""
    hidden = torch.tanh(x.flatten(1) @ p[0].T + t[:, None].float() * p[1] + p[2])
    return (hidden @ p[3].T).reshape(len(x), -1, *SHAPE[1:])


def column(v):
    return v.float()[:, None, None, None]


def record(name, loss, p, **tensors):
    loss.backward()
    tensors |= {"loss": loss} | {f"network.{i}": each for i, each in enumerate(p)}
    tensors |= {f"gradient.{i}": each.grad for i, each in enumerate(p) if each.grad is not None}
    golden.update({f"{name}.{key}": t.detach().clone().contiguous() for key, t in tensors.items()})


# ---- diffusion
betas = torch.linspace(0.0001, 0.02, 1000, dtype=torch.float32)
bars = torch.cumprod(1 - betas, 0)
timesteps = torch.tensor([0, 1, 40, 320, 700, 999])


def diffusion(name, kind, gamma=None):
    p = weights()
    clean, noise = torch.randn(N, *SHAPE), torch.randn(N, *SHAPE)
    bar = bars[timesteps].double()
    alpha, sigma, snr = column(bar.sqrt()), column((1 - bar).sqrt()), bar / (1 - bar)
    x = alpha * clean + sigma * noise
    target = {"epsilon": noise, "v": alpha * noise - sigma * clean, "sample": clean}[kind]
    weight = torch.ones(N)
    if gamma:
        least = torch.minimum(snr, torch.full_like(snr, gamma))
        weight = {"epsilon": least / snr, "v": least / (snr + 1), "sample": least}[kind]
    error = (network(p, x, timesteps / 1000) - target) ** 2
    record(name, (column(weight) * error).mean(), p, clean=clean, noise=noise, timesteps=timesteps)


for kind in ("epsilon", "v", "sample"):
    diffusion(f"diffusion_{kind}", kind)
    diffusion(f"min_snr_{kind}", kind, 5.0)


# ---- learned variance: KL by torch.distributions; one sample is at timestep 0
def learned_variance(name, kind):
    p = weights(2)
    clean, noise = torch.randn(N, *SHAPE).clamp(-1, 1), torch.randn(N, *SHAPE)
    bar = bars.double()
    before = torch.cat([torch.ones(1, dtype=torch.float64), bar[:-1]])
    beta = 1 - bar / before
    posterior = (1 - before) / (1 - bar) * beta
    posterior[0] = posterior[1]
    alpha, sigma = column(bar[timesteps].sqrt()), column((1 - bar[timesteps]).sqrt())
    x = alpha * clean + sigma * noise
    output, v = network(p, x, timesteps / 1000).chunk(2, 1)
    target = {"epsilon": noise, "v": alpha * noise - sigma * clean, "sample": clean}[kind]
    fixed = output.detach()
    x0 = {"epsilon": (x - sigma * fixed) / alpha, "v": alpha * x - sigma * fixed, "sample": fixed}[kind]
    of_x0 = column((before.sqrt() * beta / (1 - bar))[timesteps])
    of_x = column(((1 - beta).sqrt() * (1 - before) / (1 - bar))[timesteps])
    share = (v + 1) / 2
    low, high = column(posterior.log()[timesteps]), column(beta.log()[timesteps])
    model = Normal(of_x0 * x0 + of_x * x, (share * high + (1 - share) * low).div(2).exp())
    terms = kl_divergence(Normal(of_x0 * clean + of_x * x, low.div(2).exp()), model)
    # timestep 0: the mass of the picture's level, with open ends
    upper = torch.where(clean > 0.999, torch.ones_like(clean), model.cdf(clean + 1 / 255))
    lower = torch.where(clean < -0.999, torch.zeros_like(clean), model.cdf(clean - 1 / 255))
    first = column(timesteps) == 0
    terms = torch.where(first, -(upper - lower).clamp(min=1e-12).log(), terms)
    bound = len(bar) * terms.mean() / math.log(2)
    loss = ((output - target) ** 2).mean() + 0.001 * bound
    record(name, loss, p, clean=clean, noise=noise, timesteps=timesteps)


for kind in ("epsilon", "v", "sample"):
    learned_variance(f"vlb_{kind}", kind)

# ---- EDM
p, clean, noise = weights(), torch.randn(N, *SHAPE) * 0.5, torch.randn(N, *SHAPE)
sigma, data = torch.tensor([0.002, 0.05, 0.3, 1.0, 6.0, 80.0]), 0.5
x = clean + column(sigma) * noise
skip = data**2 / (sigma**2 + data**2)
out = sigma * data / torch.sqrt(sigma**2 + data**2)
inner = network(p, x / column(torch.sqrt(sigma**2 + data**2)), torch.log(sigma) / 4)
denoised = column(skip) * x + column(out) * inner
weight = (sigma**2 + data**2) / (sigma * data) ** 2
record("edm", (column(weight) * (denoised - clean) ** 2).mean(), p, clean=clean, noise=noise, sigma=sigma,
       denoised=denoised)

# ---- flow matching
p, clean, noise = weights(), torch.randn(N, *SHAPE), torch.randn(N, *SHAPE)
t = torch.tensor([0.0, 0.1, 0.35, 0.5, 0.9, 1.0])
x = (1 - column(t)) * clean + column(t) * noise
record("flow", ((network(p, x, t) - (noise - clean)) ** 2).mean(), p, clean=clean, noise=noise, times=t.double())

# ---- score matching: the paper's form, with the score and lambda = sigma^2
p, clean, noise = weights(), torch.randn(N, *SHAPE), torch.randn(N, *SHAPE)
scales = torch.tensor([0, 1, 3, 5, 8, 9])
sigma = torch.logspace(math.log10(0.01), math.log10(5.0), 10, dtype=torch.float64)[scales]
x = clean + column(sigma) * noise
score = network(p, x, scales / 10) / column(sigma)
each = 0.5 * (score + (x - clean) / column(sigma) ** 2) ** 2
record("score", (column(sigma**2) * each).mean(), p, clean=clean, noise=noise, scales=scales)

save_file(golden, sys.argv[1])
