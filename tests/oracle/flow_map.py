"""Prints the numbers in FlowMapSchedulerTest: levels and steps of diffusers' FlowMapEulerDiscreteScheduler,
on an analytic network of two times.

Made with the file of diffusers' main branch of November 2026, diffusers 0.35.2 and torch 2.13.0 on the CPU:
    python tests/oracle/flow_map.py .../src/diffusers/schedulers/scheduling_flow_map_euler_discrete.py
"""

import importlib.util
import sys

import torch

NAME = "diffusers.schedulers.scheduling_flow_map_euler_discrete"


def run(scheduler, steps, **given):
    scheduler.set_timesteps(**(given or dict(num_inference_steps=steps)))
    x = torch.tensor([1.5, -0.5], dtype=torch.float64)
    trained = scheduler.config.num_train_timesteps
    print(scheduler.config, given)
    print("sigmas", scheduler.sigmas.tolist())
    print("timesteps", scheduler.timesteps.tolist())
    for i, t in enumerate(scheduler.timesteps):
        r = scheduler.sigmas[i + 1] * trained
        x = scheduler.step(0.35 * x - 0.2 * t / trained + 0.3 * r / trained, t, x).prev_sample
        print("step", x.tolist())


def main():
    spec = importlib.util.spec_from_file_location(NAME, sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scheduler = module.FlowMapEulerDiscreteScheduler
    run(scheduler(), 1)
    run(scheduler(), 3)
    run(scheduler(shift=5.0), 4)
    run(scheduler(num_train_timesteps=500, shift=5.0), 3, sigmas=[0.9, 0.5, 0.2])


main()
