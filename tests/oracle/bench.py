"""The calls of the benchmarks in Python's torch, served to dev.darkroom.bench.Compare.

A line "add 5000" asks for 5,000 calls and is answered by their nanoseconds in all, of wall clock and
of this thread's CPU. The argument is the safetensors file that "load" loads and sums.
"""

import sys
from time import perf_counter_ns, thread_time_ns

import torch
from safetensors import safe_open

torch.set_num_threads(1)
torch.set_grad_enabled(False)

a, b = torch.rand(16, 16), torch.rand(16, 16)
x, weight, bias = torch.rand(64, 256), torch.rand(256, 256), torch.rand(256)


def add(calls):
    for _ in range(calls):
        torch.add(a, b)


def linear(calls):
    for _ in range(calls):
        torch.nn.functional.linear(x, weight, bias)


def reshape(calls):
    for _ in range(calls):
        a.reshape(4, 64)


def load(calls):
    for _ in range(calls):
        with safe_open(sys.argv[1], "pt") as file:
            total = sum(file.get_tensor(name).sum().item() for name in file.keys())
        assert total > 0


loops = {loop.__name__: loop for loop in (add, linear, reshape, load)}

print(f"Python {sys.version.split()[0]}, torch {torch.__version__}", flush=True)
for line in sys.stdin:
    name, calls = line.split()
    wall, cpu = perf_counter_ns(), thread_time_ns()
    loops[name](int(calls))
    cpu, wall = thread_time_ns() - cpu, perf_counter_ns() - wall
    print(wall, cpu, flush=True)
