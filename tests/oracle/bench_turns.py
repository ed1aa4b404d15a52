"""One guided evaluation of PixArt-XL/2 by several builds or settings of Darkroom, taking turns.

    python bench_turns.py ROUNDS NAME=COMMAND ...

A command starts dev.darkroom.bench.PixArtStep; variables before it are set, as in a shell:
"avx2=ATEN_CPU_CAPABILITY=avx2 java -cp ... dev.darkroom.bench.PixArtStep bfloat16". Prints the seconds of each
round, then the medians and their ratios to the first. Needs nothing but Python.
"""
import statistics
import subprocess
import sys

rounds, named = int(sys.argv[1]), dict(argument.split("=", 1) for argument in sys.argv[2:])
peers = {name: subprocess.Popen(["sh", "-c", f"exec env {command}"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True) for name, command in named.items()}
for name, peer in peers.items():
    assert peer.stdout.readline().strip() == "ready", f"{name} did not start"
seconds = {name: [] for name in peers}
for i in range(rounds + 1):
    for name, peer in peers.items():
        peer.stdin.write("\n")
        peer.stdin.flush()
        took = float(peer.stdout.readline())
        print(f"{'warm-up' if i == 0 else i}: {name} {took:.3f} s", flush=True)
        if i:
            seconds[name].append(took)
medians = {name: statistics.median(values) for name, values in seconds.items()}
first = next(iter(medians.values()))
for name, median in medians.items():
    print(f"{name}: {median:.3f} s, ratio {median / first:.2f}")
for peer in peers.values():
    peer.stdin.close()
