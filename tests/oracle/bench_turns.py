"""One guided evaluation of a network by several builds or settings of Darkroom, or by its peers, taking turns.

    python bench_turns.py ROUNDS NAME=COMMAND ...

A command starts dev.darkroom.bench.PixArtStep or UnetStep, or a peer as bench_unet_step.py does; variables before it
are set, as in a shell: "avx2=ATEN_CPU_CAPABILITY=avx2 java -cp ... dev.darkroom.bench.PixArtStep bfloat16". In each
round each command runs alone: a step that does not count, and two that do. Prints their seconds and the peaks of
resident memory, before the steps and in them, then the medians and what part the first takes of each. Runs on Linux
and needs nothing but Python.
"""
import statistics
import subprocess
import sys

STEPS = 2


def peak(process):
    status = open(f"/proc/{process}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def measure(command):
    """Returns the seconds of the steps, and the peaks before them and in them."""
    shell = ["sh", "-c", f"exec env {command}"]
    run = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline().strip() == "ready", f"{command} did not start"
    before = peak(run.pid)
    open(f"/proc/{run.pid}/clear_refs", "w").write("5")  # the peak starts anew
    seconds = []
    for _ in range(1 + STEPS):
        run.stdin.write("\n")
        run.stdin.flush()
        seconds.append(float(run.stdout.readline()))
    within = peak(run.pid)
    run.stdin.close()
    run.wait()
    return seconds[1:], before, within


rounds, commands = int(sys.argv[1]), dict(argument.split("=", 1) for argument in sys.argv[2:])
measured = {name: [] for name in commands}
for i in range(rounds):
    for name, command in commands.items():
        seconds, before, within = measure(command)
        print(f"{i + 1}: {name} {' and '.join(f'{s:.3f}' for s in seconds)} s, {before:.2f} and {within:.2f} GiB",
              flush=True)
        measured[name].append((seconds, before, within))
summary = {}
for name, runs in measured.items():
    seconds, before, within = zip(*runs)
    summary[name] = statistics.median(sum(seconds, [])), max(before), max(within)
ours = next(iter(summary.values()))
for name, (seconds, before, within) in summary.items():
    print(f"{name}: {seconds:.3f} s, {before:.2f} and {within:.2f} GiB; the first takes {ours[0] / seconds:.2f} of the "
          f"time and {ours[2] / within:.2f} of the memory in steps")
