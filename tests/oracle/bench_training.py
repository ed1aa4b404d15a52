"""Python's part of dev.darkroom.bench.CompareTraining, which starts it: training steps in PyTorch and diffusers.

    python bench_training.py pixart|autoencoder float32|bfloat16

Sizes, data, objective and optimizers are those of TrainingStep.java. PixArt's attention is the faster of
diffusers' two, fused (SDPA) and in products. For each number of steps on its input it prints what one step
took: milliseconds of wall clock, of CPU (the whole process), of loss, backward, optimizer and average;
and the peak resident memory in MB.
"""
import re
import resource
import sys
import time

import diffusers
import torch
from diffusers import AutoencoderKL, PixArtTransformer2DModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

kind, dtype = sys.argv[1], getattr(torch, sys.argv[2])
THREADS = 2
torch.set_num_threads(THREADS)
torch.manual_seed(0)


class PixArt:
    def __init__(self):
        self.module = PixArtTransformer2DModel(
            num_attention_heads=4, attention_head_dim=64, in_channels=4, out_channels=4, num_layers=6, sample_size=16,
            patch_size=2, cross_attention_dim=256, caption_channels=192, attention_bias=True,
            norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6, interpolation_scale=1,
            use_additional_conditions=False).to(dtype)
        self.latents = torch.randn(64, 4, 16, 16)
        self.text = torch.randn(64, 24, 192).to(dtype)
        self.mask = torch.ones(64, 24)
        self.mask[:, 18:] = 0
        betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000) ** 2
        self.alpha_bar = torch.cumprod(1 - betas, 0)

    def loss(self):
        timesteps = torch.randint(0, 1000, (64,))
        noise = torch.randn_like(self.latents)
        alpha_bar = self.alpha_bar[timesteps].view(-1, 1, 1, 1)
        alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        noisy = alpha * self.latents + sigma * noise
        predicted = self.module(
            noisy.to(dtype), encoder_hidden_states=self.text, encoder_attention_mask=self.mask, timestep=timesteps,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None}, return_dict=False)[0]
        return (predicted.float() - (alpha * noise - sigma * self.latents)).square().mean()


class Autoencoder:
    def __init__(self):
        self.module = AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
            block_out_channels=[32, 64, 128, 128], layers_per_block=1, latent_channels=4, norm_num_groups=4,
            mid_block_add_attention=False).to(dtype)
        self.images = torch.randn(16, 3, 64, 64).clamp(-1, 1).to(dtype)

    def loss(self):
        posterior = self.module.encode(self.images).latent_dist
        difference = self.module.decode(posterior.sample()).sample - self.images
        slopes = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return difference.abs().mean() + difference.square().mean() + 0.5 * slopes + 5e-4 * kl


class Muon:
    def __init__(self, parameters, rate, decay, momentum=0.95):
        self.parameters, self.rate, self.decay, self.momentum = parameters, rate, decay, momentum
        self.buffers = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self):
        for p, buffer in zip(self.parameters, self.buffers):
            buffer.lerp_(p.grad, 1 - self.momentum)
            update = p.grad.lerp(buffer, self.momentum).flatten(1)
            rows, columns = update.shape
            x = update.to(dtype)
            x = x.T if rows > columns else x
            x = x / x.norm().clamp_min(1e-7)
            for _ in range(5):
                gram = x @ x.T
                x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
            x = x.T if rows > columns else x
            p.mul_(1 - self.rate * self.decay)
            p.add_(x.to(p.dtype).view_as(p), alpha=-self.rate * 0.2 * max(rows, columns) ** 0.5)


class Training:
    def __init__(self, case):
        self.case = case
        self.working = dict(case.module.named_parameters())
        self.masters = self.working
        if dtype != torch.float32:
            self.masters = {k: p.detach().float().requires_grad_() for k, p in self.working.items()}
        in_blocks = [k for k, p in self.masters.items()
                     if re.fullmatch(r".*\.\d+\..*", k) and p.dim() > 1 and "table" not in k]
        self.muon = Muon([self.masters[k] for k in in_blocks], 1e-3, 0.01)
        self.adamw = torch.optim.AdamW(
            [p for k, p in self.masters.items() if k not in set(in_blocks)], lr=1e-3, weight_decay=0, fused=True)
        self.average = [p.detach().clone() for p in self.masters.values()]
        self.count = 0

    def take(self, phases):
        def end(phase, begin):
            now = time.perf_counter()
            phases[phase] += now - begin
            return now

        begin = time.perf_counter()
        loss = self.case.loss()
        assert loss.isfinite().item()
        begin = end(0, begin)
        loss.backward()
        begin = end(1, begin)
        masters = list(self.masters.values())
        if self.masters is not self.working:
            for master, p in zip(masters, self.working.values()):
                master.grad = p.grad.float()
                p.grad = None
        torch.nn.utils.clip_grad_norm_(masters, 1.0, foreach=True)
        self.muon.step()
        self.adamw.step()
        if self.masters is not self.working:
            with torch.no_grad():
                torch._foreach_copy_(list(self.working.values()), masters)
        for p in masters:
            p.grad = None
        begin = end(2, begin)
        share = 1 - min(0.9999, 1 - (1 + self.count) ** -0.75)
        self.count += 1
        with torch.no_grad():
            torch._foreach_lerp_(self.average, masters, share)
        end(3, begin)

    def measure(self, count):
        phases = [0.0] * 4
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            self.take(phases)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return [1000 * t / count for t in (wall, cpu, *phases)]


case = PixArt() if kind == "pixart" else Autoencoder()
training = Training(case)
fastest = "convolutions"
if kind == "pixart":
    times = {}
    for name, processor in (("fused attention", AttnProcessor2_0()), ("attention in products", AttnProcessor())):
        case.module.set_attn_processor(processor)
        training.measure(2)
        times[name] = min(training.measure(2)[1] for _ in range(3)), processor
    fastest = min(times, key=lambda name: times[name][0])
    case.module.set_attn_processor(times[fastest][1])
    fastest += ", " + ", ".join(f"{name} {ms:.0f} ms of CPU" for name, (ms, _) in times.items())
parameters = sum(p.numel() for p in case.module.parameters()) / 1e6
print(f"torch {torch.__version__}, diffusers {diffusers.__version__}, {parameters:.2f} M parameters, {fastest}",
      flush=True)
for line in sys.stdin:
    print(*training.measure(int(line)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
