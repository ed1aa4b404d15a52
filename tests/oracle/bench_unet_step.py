"""One guided evaluation of Stable Diffusion 1.5's U-Net, Darkroom against diffusers, taking turns.

    python bench_unet_step.py float32 ROUNDS java ... dev.darkroom.bench.UnetStep float32

Both have random weights, two threads, the same shapes (latents [2,4,64,64], text [2,77,768]). Prints the seconds of
each round, the ratio of the medians, and the peaks of resident memory with the weights.
"""
import statistics
import subprocess
import sys
import time

import torch
from diffusers import UNet2DConditionModel


def peak(process):
    status = open(f"/proc/{process}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


dtype, rounds, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
torch.set_grad_enabled(False)
torch.set_num_threads(2)
torch.set_default_dtype(getattr(torch, dtype))
java = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
network = UNet2DConditionModel(cross_attention_dim=768).eval()
latents, text = torch.randn(2, 4, 64, 64), torch.randn(2, 77, 768)
assert java.stdout.readline().strip() == "ready"
ours, theirs = [], []
for i in range(rounds + 1):
    java.stdin.write("\n")
    java.stdin.flush()
    seconds = float(java.stdout.readline())
    begin = time.perf_counter()
    network(latents, torch.tensor(500), text)
    peer = time.perf_counter() - begin
    print(f"{'warm-up' if i == 0 else i}: darkroom {seconds:.3f} s, diffusers {peer:.3f} s", flush=True)
    if i:
        ours.append(seconds)
        theirs.append(peer)
a, b = statistics.median(ours), statistics.median(theirs)
print(f"{dtype}: darkroom {a:.3f} s, diffusers {b:.3f} s, ratio {a / b:.2f}; "
      f"{peak(java.pid):.2f} and {peak('self'):.2f} GiB")
java.stdin.close()
