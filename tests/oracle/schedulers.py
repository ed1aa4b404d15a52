"""Writes schedulers/case.json and schedulers/expected.safetensors beside this file: what diffusers
does for the options of its schedulers, on the analytic network of the reference case.

Made with diffusers 0.35.2, torch 2.13.0 on the CPU and scipy 1.17:
    python tests/oracle/schedulers.py
"""

import json
import os

import diffusers
import diffusers.schedulers.deprecated.scheduling_sde_vp
import torch
from safetensors.torch import save_file

SCALED = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
COSINE = dict(beta_schedule="squaredcos_cap_v2")
ZERO_SNR = dict(rescale_betas_zero_snr=True, prediction_type="v_prediction")
NO_CLIP = dict(clip_sample=False)
THRESHOLD = dict(thresholding=True, dynamic_thresholding_ratio=0.8, sample_max_value=1.3)

DDPM = [
    (4, dict(variance_type="fixed_small_log", **NO_CLIP)),
    (5, dict(variance_type="learned", **NO_CLIP)),
    (5, dict(variance_type="learned_range", **NO_CLIP)),
    (7, dict(timestep_spacing="trailing", **THRESHOLD)),
    (7, dict(timestep_spacing="linspace", **SCALED, **NO_CLIP)),
    (5, dict(steps_offset=1, clip_sample_range=0.7)),
    (4, dict(timestep_spacing="trailing", **ZERO_SNR, **NO_CLIP)),
    (6, dict(num_train_timesteps=12, trained_betas=[0.01 * (i + 1) for i in range(12)])),
    (4, dict(beta_schedule="sigmoid", prediction_type="sample", **NO_CLIP)),
    (1, dict(**SCALED, **NO_CLIP)),
    (40, dict(**SCALED, **NO_CLIP)),
]
DDIM = [
    (5, dict(**SCALED, **NO_CLIP), dict(eta=0.5)),
    (4, dict(**SCALED), dict(eta=1.0)),
    (5, dict(**SCALED), dict(use_clipped_model_output=True)),
    (7, dict(timestep_spacing="trailing", **SCALED, **NO_CLIP)),
    (7, dict(timestep_spacing="linspace", set_alpha_to_one=False, **SCALED, **NO_CLIP)),
    (6, dict(**THRESHOLD)),
    (5, dict(**ZERO_SNR, **NO_CLIP)),
    # Not eta = 1, where the rest of the noise at zero SNR is the root of a rounding error.
    (3, dict(timestep_spacing="trailing", **ZERO_SNR), dict(eta=0.7)),
    (5, dict(prediction_type="v_prediction", **COSINE)),
    (1, dict(**NO_CLIP)),
]
EULER = [
    (5, dict(timestep_spacing="leading", steps_offset=1, **SCALED)),
    (7, dict(timestep_spacing="trailing", **SCALED)),
    (5, dict(use_exponential_sigmas=True, **SCALED)),
    (6, dict(use_beta_sigmas=True, **SCALED)),
    (5, dict(use_karras_sigmas=True, sigma_min=0.05, sigma_max=10.0, **SCALED)),
    (5, dict(interpolation_type="log_linear", **SCALED)),
    (4, dict(final_sigmas_type="sigma_min", **SCALED)),
    (4, dict(timestep_spacing="trailing", **ZERO_SNR, **SCALED)),
    (4, dict(timestep_type="continuous", prediction_type="v_prediction", **SCALED)),
    (4, dict(prediction_type="sample", **COSINE)),
    (1, dict(**SCALED)),
]
ANCESTRAL = [
    (5, dict(timestep_spacing="leading", steps_offset=1, **SCALED)),
    (7, dict(timestep_spacing="trailing", prediction_type="v_prediction", **SCALED)),
    (4, dict(timestep_spacing="trailing", **ZERO_SNR, **SCALED)),
]
HEUN = [
    (4, dict(timestep_spacing="leading", steps_offset=1)),
    (4, dict(timestep_spacing="trailing", prediction_type="v_prediction", **SCALED)),
    (4, dict(use_exponential_sigmas=True, **SCALED)),
    (4, dict(use_beta_sigmas=True, **SCALED)),
    (3, dict(clip_sample=True, clip_sample_range=0.5, **SCALED)),
    (3, dict(beta_schedule="exp", prediction_type="sample")),
    (1, dict(**SCALED)),
]
DPM_SOLVER = [
    (5, dict(timestep_spacing="leading", steps_offset=1, **SCALED)),
    (7, dict(timestep_spacing="trailing", **SCALED)),
    (4, dict(solver_order=1, **SCALED)),
    (20, dict(**SCALED)),
    (17, dict(solver_order=3, **SCALED)),
    (6, dict(solver_order=3, lower_order_final=False, final_sigmas_type="sigma_min", **SCALED)),
    (5, dict(solver_type="heun", lower_order_final=False, final_sigmas_type="sigma_min", **SCALED)),
    (5, dict(use_lu_lambdas=True, **SCALED)),
    (5, dict(use_exponential_sigmas=True, **SCALED)),
    (5, dict(use_beta_sigmas=True, **SCALED)),
    (5, dict(lambda_min_clipped=-5.1, **COSINE)),
    (5, dict(lambda_min_clipped=-5.1, timestep_spacing="trailing", **COSINE)),
    (4, dict(use_karras_sigmas=True, **COSINE)),
    (5, dict(**THRESHOLD, **SCALED)),
    (5, dict(prediction_type="v_prediction", **SCALED)),
    (5, dict(prediction_type="sample", **SCALED)),
    (5, dict(timestep_spacing="trailing", **ZERO_SNR, **SCALED)),
    (5, dict(algorithm_type="sde-dpmsolver++", solver_type="heun", **SCALED)),
    (4, dict(algorithm_type="sde-dpmsolver++", solver_order=1, use_karras_sigmas=True, **SCALED)),
    (6, dict(prediction_type="flow_prediction", use_flow_sigmas=True, solver_order=3)),
    (
        5,
        dict(prediction_type="flow_prediction", use_flow_sigmas=True, use_dynamic_shifting=True),
        dict(mu=0.6),
    ),
    (1, dict(**SCALED)),
]
LCM = [
    (7, dict(original_inference_steps=100)),
    (4, dict(timestep_scaling=0.01)),
    (4, dict(clip_sample=True, clip_sample_range=0.8)),
    (3, dict(**THRESHOLD)),
    (4, dict(prediction_type="v_prediction", beta_schedule="linear")),
    (4, dict(**ZERO_SNR)),
    (1, dict()),
]
FLOW = [
    (5, dict(shift=2.0, shift_terminal=0.1)),
    (5, dict(use_karras_sigmas=True, shift=3.0)),
    (5, dict(use_exponential_sigmas=True)),
    (5, dict(use_beta_sigmas=True)),
    (4, dict(use_dynamic_shifting=True, time_shift_type="linear"), dict(mu=2.0)),
    (
        4,
        dict(use_dynamic_shifting=True),
        dict(mu=1.15, sigmas=[1.0, 0.75, 0.5, 0.25]),
    ),
    (1, dict(shift=3.0)),
]
NOISE = dict(algorithm_type="dpmsolver", final_sigmas_type="sigma_min")
NOISE_SDE = dict(algorithm_type="sde-dpmsolver", final_sigmas_type="sigma_min")
DPM_SOLVER_BY_NOISE = [
    (5, dict(**NOISE, **SCALED)),
    (5, dict(solver_order=1, timestep_spacing="trailing", **NOISE, **SCALED)),
    (20, dict(solver_type="heun", **NOISE, **SCALED)),
    (17, dict(solver_order=3, **NOISE, **SCALED)),
    (5, dict(solver_order=3, use_karras_sigmas=True, **NOISE, **SCALED)),
    (5, dict(prediction_type="v_prediction", euler_at_final=True, **NOISE, **SCALED)),
    (5, dict(prediction_type="sample", **NOISE, **SCALED)),
    (5, dict(**NOISE, **THRESHOLD, **SCALED)),
    (5, dict(solver_order=1, **NOISE_SDE, **SCALED)),
    (5, dict(**NOISE_SDE, **SCALED)),
    (16, dict(solver_type="heun", **NOISE_SDE, **SCALED)),
]
LOW = dict(thresholding=True, dynamic_thresholding_ratio=0.8, sample_max_value=0.7)
END_NOISY = dict(final_sigmas_type="sigma_min")
SINGLESTEP = [
    (7, dict(solver_order=3, solver_type="heun", **SCALED)),
    (6, dict(solver_order=3, **SCALED)),
    (5, dict(algorithm_type="sde-dpmsolver++", solver_type="heun", **SCALED)),
    (6, dict(algorithm_type="dpmsolver", lower_order_final=False, **END_NOISY, **SCALED)),
]
DEIS = [
    (7, dict(solver_order=3, lower_order_final=False, **SCALED)),
    (5, dict(use_karras_sigmas=True, **SCALED)),
]
# bh1 gives NaN at the end without noise.
UNIPC = [
    (7, dict(solver_order=3, **END_NOISY, **SCALED)),
    (5, dict(solver_type="bh1", disable_corrector=[1], **END_NOISY, **SCALED)),
    (5, dict(predict_x0=False, **END_NOISY, **SCALED)),
    (5, dict(timestep_spacing="trailing", **ZERO_SNR, **SCALED)),
    (4, dict(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)),
]
SA_SOLVER = [
    (6, dict(predictor_order=3, corrector_order=4, **SCALED)),
    (6, dict(algorithm_type="noise_prediction", lower_order_final=False, **SCALED)),
]
CHURN = dict(s_churn=2.0, s_tmin=0.1, s_tmax=20.0, s_noise=1.01)
GIVEN = [
    (4, dict(**SCALED), CHURN),
    (3, dict(**SCALED), dict(timesteps=[999, 500, 20])),
    (3, dict(**SCALED), dict(sigmas=[14.0, 3.0, 0.5, 0.0])),
]
CLASSES = [
    ("DDPMScheduler", DDPM),
    ("DDIMScheduler", DDIM),
    ("EulerDiscreteScheduler", EULER),
    ("EulerAncestralDiscreteScheduler", ANCESTRAL),
    ("HeunDiscreteScheduler", HEUN),
    ("DPMSolverMultistepScheduler", DPM_SOLVER),
    ("LCMScheduler", LCM),
    ("FlowMatchEulerDiscreteScheduler", FLOW),
    # The key of a case is the seed of its noise, so what came later stands here.
    ("DPMSolverMultistepScheduler", DPM_SOLVER_BY_NOISE),
    ("DDPMScheduler", [(5, LOW)]),
    ("DPMSolverMultistepScheduler", [(5, dict(**LOW, **SCALED))]),
    ("EulerDiscreteScheduler", [(12, dict(num_train_timesteps=12, timestep_spacing="leading", steps_offset=1))]),
    ("DPMSolverSinglestepScheduler", SINGLESTEP),
    ("DEISMultistepScheduler", DEIS),
    ("UniPCMultistepScheduler", UNIPC),
    ("SASolverScheduler", SA_SOLVER),
    ("LMSDiscreteScheduler", [(5, dict(**SCALED), dict(order=2))]),
    ("KDPM2DiscreteScheduler", [(3, dict(use_karras_sigmas=True, timestep_spacing="trailing", **SCALED))]),
    ("KDPM2AncestralDiscreteScheduler", [(3, dict(prediction_type="v_prediction", **SCALED))]),
    ("PNDMScheduler", [(5, dict(skip_prk_steps=False, **SCALED))]),
    ("IPNDMScheduler", [(5, dict())]),
    ("EulerDiscreteScheduler", GIVEN),
    ("EDMEulerScheduler", [(3, dict(prediction_type="v_prediction", sigma_data=1.0), dict(s_churn=1.0))]),
    ("EDMDPMSolverMultistepScheduler", [(4, dict(sigma_schedule="exponential", solver_order=3))]),
    ("TCDScheduler", [(3, dict(prediction_type="v_prediction"), dict(strength=0.6, eta=0.4))]),
    ("DPMSolverMultistepScheduler", [(5, dict(algorithm_type="sde-dpmsolver++", solver_order=3, **SCALED))]),
    ("DDIMInverseScheduler", [
        (4, dict(timestep_spacing="trailing", prediction_type="v_prediction", clip_sample=False, **SCALED)),
        (4, dict(set_alpha_to_one=False, steps_offset=1, **SCALED)),
    ]),
    ("FlowMatchEulerDiscreteScheduler", [(3, dict(shift=3.0, invert_sigmas=True))]),
    ("FlowMatchLCMScheduler", [(3, dict(shift=3.0))]),
    ("DPMSolverMultistepInverseScheduler", [
        (4, dict(timestep_spacing="leading", steps_offset=1, solver_order=3, **SCALED)),
        (4, dict(timestep_spacing="trailing", prediction_type="v_prediction", solver_type="heun", **SCALED)),
        (4, dict(use_karras_sigmas=True, algorithm_type="dpmsolver", lower_order_final=False, **SCALED)),
        (4, dict(use_exponential_sigmas=True, **SCALED)),
        (4, dict(lambda_min_clipped=-2.0, **SCALED)),
    ]),
    ("UnCLIPScheduler", [(4, dict()), (3, dict(prediction_type="sample", variance_type="learned_range"))]),
    ("ScoreSdeVeScheduler", [(4, dict(num_train_timesteps=4, sigma_max=50.0)), (3, dict(num_train_timesteps=3, correct_steps=2))]),
    ("ScoreSdeVpScheduler", [(4, dict()), (3, dict(beta_min=0.2, beta_max=10.0, sampling_eps=0.01))]),
    ("CogVideoXDDIMScheduler", [(3, dict()), (3, dict(timestep_spacing="trailing", set_alpha_to_one=False, **ZERO_SNR))]),
    ("CogVideoXDPMScheduler", [(4, dict()), (5, dict(timestep_spacing="trailing", snr_shift_scale=1.5, **ZERO_SNR))]),
]


def run(key, name, steps, config, call, tensors):
    module = diffusers if name != "ScoreSdeVpScheduler" else diffusers.schedulers.deprecated.scheduling_sde_vp
    scheduler = getattr(module, name)(**config)
    levels = {k: v for k, v in call.items() if k in ("mu", "sigmas", "timesteps", "strength")}
    extra = {k: v for k, v in call.items() if k not in levels}
    given = "sigmas" in levels or "timesteps" in levels
    scheduler.set_timesteps(**(levels if given else dict(num_inference_steps=steps, **levels)))
    # Otherwise the first step is looked up by its timestep, and skipped where that occurs twice.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)

    generator = torch.Generator().manual_seed(int(key))
    # The corrector's step is of means over the batch, and in Darkroom each sample's own.
    shape = (1 if name == "ScoreSdeVeScheduler" else 2, 3, 2, 2)
    noise = lambda: torch.randn(*shape, generator=generator)
    scale = torch.as_tensor(float(getattr(scheduler, "init_noise_sigma", 1.0)))
    x, c = noise() * scale, noise() * 0.3
    # Euler's steps from sigmas of thousands are wrong by up to 6e-4 in float32: docs/conformance.md.
    exact = "Euler" in name and scale > 1000
    tensors |= {f"{key}.init": x.clone(), f"{key}.c": c, f"{key}.init_noise_sigma": scale}
    tensors[f"{key}.timesteps"] = scheduler.timesteps.float()
    # Log-linear interpolation leaves a last sigma that no step reaches.
    if getattr(scheduler, "sigmas", None) is not None and "interpolation_type" not in config:
        tensors[f"{key}.sigmas"] = torch.as_tensor(scheduler.sigmas).float()

    draws, randn, float32 = [], torch.randn, torch.float32
    if exact:
        scheduler.sigmas = scheduler.sigmas.double()
    # Where 1 - a is small, it has few digits in float32.
    if name == "UnCLIPScheduler":
        exact, scheduler.alphas_cumprod = True, scheduler.alphas_cumprod.double()
        before = torch.cat([torch.ones(1).double(), scheduler.alphas_cumprod[:-1]])
        scheduler.alphas = scheduler.alphas_cumprod / before
        scheduler.betas = 1 - scheduler.alphas
    if name == "ScoreSdeVpScheduler":
        exact, scheduler.timesteps = True, scheduler.timesteps.double()
    if exact:
        x, c = x.double(), c.double()
    old = None
    for j, t in enumerate(scheduler.timesteps):
        if name == "UnCLIPScheduler" and j + 1 < len(scheduler.timesteps):
            extra["prev_timestep"] = scheduler.timesteps[j + 1]
        elif name == "UnCLIPScheduler":
            del extra["prev_timestep"]
        scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        u = float(t) / 1000 if float(t) > 1 else float(t)
        output = 0.35 * scaled - 0.2 * u + c
        if config.get("variance_type") == "learned":
            output = torch.cat([output, c**2], 1)
        if config.get("variance_type") == "learned_range":
            output = torch.cat([output, c], 1)
        if hasattr(scheduler, "step") and "generator" in scheduler.step.__code__.co_varnames:
            extra["generator"] = torch.Generator().manual_seed(100 + j)

        # DDPM draws for the mean and the variance together; only the mean's shape is used.
        def spy(_, **options):
            sample = randn(shape, **options | dict(dtype=float32))
            draws.append(sample)
            return sample.double() if exact else sample

        torch.randn = spy
        if exact:
            torch.float32 = torch.float64  # what the step rounds to
        try:
            if name.startswith("ScoreSde"):
                generator = torch.Generator().manual_seed(100 + j)
                for k in range(config.get("correct_steps", 1) if "Ve" in name else 0):
                    x = scheduler.step_correct(output, x, generator=generator).prev_sample
                    tensors[f"{key}.x{j:02d}_correct{k}"] = x.to(float32, copy=True)
                    output = 0.35 * x - 0.2 * u + c
                if "Ve" in name:
                    x, mean = scheduler.step_pred(output, t, x, generator=generator, return_dict=False)
                else:
                    x, mean = scheduler.step_pred(output, x, t, generator=generator)
                tensors[f"{key}.mean{j:02d}"] = mean.to(float32, copy=True)
            elif name == "CogVideoXDPMScheduler":
                back = scheduler.timesteps[j - 1] if j > 0 else None
                x, old = scheduler.step(output, old, t, back, x, **extra)
            else:
                x = scheduler.step(output, t, x, **extra).prev_sample
        finally:
            torch.randn, torch.float32 = randn, float32
        tensors[f"{key}.x{j:02d}"] = x.to(float32, copy=True)
    tensors |= {f"{key}.noise{j:02d}": sample for j, sample in enumerate(draws)}
    return dict(key=key, scheduler=name, config=config, steps=steps, call=call, draws=len(draws))


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedulers")
    os.makedirs(folder, exist_ok=True)
    cases, tensors = [], {}
    for name, rows in CLASSES:
        for row in rows:
            steps, config, call = row if len(row) == 3 else (*row, {})
            cases.append(run(f"{len(cases):02d}", name, steps, config, call, tensors))
    save_file({k: v.contiguous() for k, v in tensors.items()}, f"{folder}/expected.safetensors")
    with open(f"{folder}/case.json", "w") as file:
        json.dump(dict(cases=cases), file, indent=1)


main()
