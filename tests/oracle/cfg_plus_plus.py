"""Prints what CFG++ makes of normally distributed data, in float64, for CfgPlusPlusTest.

    python cfg_plus_plus.py

Two exact denoisers of data N(mean, deviation²): with the condition 0.7 and 0.6, without it -0.4 and 1.1. From x = 0.5
along four levels of each form and one without noise, by the paper's algorithm (arXiv:2406.08070, algorithm 2) written in
eps; with fresh noise of 0.3 in each step, by k-diffusion's ancestral step on x/alpha.
"""

import math


def preserving(u):
    return math.cos(1.5 - 1.4 * u), math.sin(1.5 - 1.4 * u)


def flow(u):
    return 1 - (0.98 - 0.95 * u), 0.98 - 0.95 * u


def exploding(u):
    return 1.0, 10 * 0.01**u


def epsilon(x, alpha, sigma, mean, deviation):
    return sigma * (x - alpha * mean) / (alpha**2 * deviation**2 + sigma**2)


def sample(form, weight, ancestral):
    x = 0.5
    levels = [form(i / 3) for i in range(4)] + [(1.0, 0.0)]
    for (alpha, sigma), (to, less) in zip(levels, levels[1:]):
        unconditional = epsilon(x, alpha, sigma, -0.4, 1.1)
        guided = unconditional + weight * (epsilon(x, alpha, sigma, 0.7, 0.6) - unconditional)
        x0 = (x - sigma * guided) / alpha
        here, there = sigma / alpha, less / to
        up = there / here * math.sqrt(here**2 - there**2) if ancestral else 0.0
        down = math.sqrt(there**2 - up**2)
        x = to * (x0 + down * unconditional + up * 0.3)
    return x


for ancestral in False, True:
    for form in preserving, flow, exploding:
        print(ancestral, form.__name__, [sample(form, weight, ancestral) for weight in (0.0, 0.6, 1.0)])
