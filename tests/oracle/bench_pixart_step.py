"""One guided evaluation of PixArt-XL/2, Darkroom against diffusers, taking turns.

    python bench_pixart_step.py float32 ROUNDS java ... dev.darkroom.bench.PixArtStep float32

Both have random weights, two threads, the same shapes (latents [2,4,64,64], text [2,120,4096]). Prints the seconds
of each round and the ratio of the medians.
"""
import statistics
import subprocess
import sys
import time

import torch
from diffusers import PixArtTransformer2DModel

dtype, rounds, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
torch.set_grad_enabled(False)
torch.set_num_threads(2)
java = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
network = PixArtTransformer2DModel(
    num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, sample_size=64,
    patch_size=2, cross_attention_dim=1152, caption_channels=4096, attention_bias=True,
    norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6).to(getattr(torch, dtype)).eval()
latents = torch.randn(2, 4, 64, 64, dtype=network.dtype)
text = torch.randn(2, 120, 4096, dtype=network.dtype)
timestep = torch.full((2,), 500)
assert java.stdout.readline().strip() == "ready"
ours, theirs = [], []
for i in range(rounds + 1):
    java.stdin.write("\n")
    java.stdin.flush()
    seconds = float(java.stdout.readline())
    begin = time.perf_counter()
    network(latents, encoder_hidden_states=text, timestep=timestep,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None})
    peer = time.perf_counter() - begin
    print(f"{'warm-up' if i == 0 else i}: darkroom {seconds:.3f} s, diffusers {peer:.3f} s", flush=True)
    if i:
        ours.append(seconds)
        theirs.append(peer)
a, b = statistics.median(ours), statistics.median(theirs)
print(f"{dtype}: darkroom {a:.3f} s, diffusers {b:.3f} s, ratio {a / b:.2f}")
java.stdin.close()
